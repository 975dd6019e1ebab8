"""The tools of skills that the model may call in one turn: named, checked, called within bounds."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from parlour.engines.protocol import Tool
from parlour.sdk.errors import CapabilityError
from parlour.sdk.manifest import Entry
from parlour.sdk.schema import problems
from parlour.skills.errors import SkillError, SkillTimedOut
from parlour.skills.routing import ToolUse
from parlour.skills.views import SkillView

# What changes something, or may: such tools run one after another, in the order the model called them.
_CHANGING: Final = frozenset({"UserStore", "SharedStore", "Http", "Notify", "Handoff"})
_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME: Final = 64
_LONGEST_ABOUT: Final = 1_000
_LONGEST_RESULT: Final = 8_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one turn may do with tools."""

    steps: int = 4
    calls: int = 8
    at_once: int = 4
    seconds: float = 60.0
    call_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call as the model wants it. `arguments` may be anything."""

    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call: JSON, or a word on why there is nothing. Either is for the model to read, never to obey."""

    name: str
    text: str


# Calls the tool in the turn's name, within so many seconds. Raises `SkillError`s.
Call = Callable[[SkillView, Entry, Mapping[str, Any], float], object]


class Toolbox:
    """The tools of one turn. Whose turn it is stands in `call`, which the host made: no argument can say it."""

    def __init__(
        self,
        tools: Sequence[tuple[SkillView, Entry]],
        call: Call,
        *,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self.uses: list[ToolUse] = []
        self._call = call
        self._monotonic = monotonic
        self._until = monotonic() + self.limits.seconds
        self._made: set[str] = set()
        self._count = 0
        self._tools: dict[str, tuple[SkillView, Entry]] = {}
        for skill, entry in tools:
            self._tools.setdefault(_name(skill, entry, self._tools), (skill, entry))

    def __bool__(self) -> bool:
        return bool(self._tools)

    @property
    def offered(self) -> list[Tool]:
        """The tools as the model is told of them."""
        return [
            Tool(name, entry.about[:_LONGEST_ABOUT], entry.arguments) for name, (_, entry) in self._tools.items()
        ]  # fmt: skip

    @property
    def is_spent(self) -> bool:
        """Whether no more may be called in this turn."""
        return self._count >= self.limits.calls or self._monotonic() >= self._until

    def run(self, wanted: Sequence[Wanted]) -> list[Result]:
        """The results, in order: those that change nothing side by side, the others one after another.

        What was called before with the same arguments is not called again. Nothing is raised: the model is told.
        """
        todo = [(one, self._refusal(one)) for one in wanted[: self.limits.at_once]]
        done: dict[int, Result] = {}
        harmless = []
        for number, (one, refusal) in enumerate(todo):
            if refusal is not None:
                done[number] = Result(one.name[:_LONGEST_NAME], refusal)
            elif not _CHANGING & {*self._tools[one.name][1].capabilities}:
                harmless.append(number)
        with ThreadPoolExecutor(max_workers=self.limits.at_once, thread_name_prefix="tool") as pool:
            side_by_side = {number: pool.submit(self._one, todo[number][0]) for number in harmless}
            for number, (one, _) in enumerate(todo):
                if number not in done and number not in side_by_side:
                    done[number] = self._one(one)
            done |= {number: future.result() for number, future in side_by_side.items()}
        return [done[number] for number in range(len(todo))]

    def _refusal(self, one: Wanted) -> str | None:
        """Why it is not called; None: it is, and counts as called."""
        if one.name not in self._tools:
            return f"There is no such tool. There are: {', '.join(self._tools)}."
        skill, entry = self._tools[one.name]
        wrong = next(problems(entry.arguments, one.arguments), None)
        if wrong is not None:
            self._count += 1
            self.uses.append(ToolUse(skill.name, entry.name, "wrong arguments", 0))
            return f"It was not called: {wrong}."
        made = json.dumps([one.name, one.arguments], sort_keys=True)
        if made in self._made:
            return "It was called with these arguments already."
        if self.is_spent:
            return "No more tools may be called in this turn."
        self._made.add(made)
        self._count += 1
        return None

    def _one(self, one: Wanted) -> Result:
        skill, entry = self._tools[one.name]
        began = self._monotonic()
        seconds = min(self.limits.call_seconds, max(0.0, self._until - began))
        outcome = "done"
        try:
            text = _as_text(self._call(skill, entry, one.arguments, seconds))
        except SkillTimedOut:
            outcome, text = "timed out", "It did not finish in time."
        except (SkillError, CapabilityError) as error:
            outcome, text = type(error).__name__, "It failed."
        self.uses.append(ToolUse(skill.name, entry.name, outcome, round((self._monotonic() - began) * 1_000)))
        return Result(one.name, text)


def read_calls(text: str) -> list[Wanted]:
    """The calls in `{"calls": [{"tool": …, "arguments": {…}}]}`; none where it is not that."""
    try:
        told = json.loads(text)
        return [Wanted(str(one["tool"]), one.get("arguments", {})) for one in told["calls"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def calls_schema(tools: Sequence[Tool], *, at_once: int) -> dict[str, Any]:
    """The JSON schema of what `read_calls` reads, for engines that do not call tools by themselves."""
    kinds = [
        {
            "type": "object",
            "properties": {"tool": {"const": one.name}, "arguments": dict(one.arguments)},
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }
        for one in tools
    ]
    return {
        "type": "object",
        "properties": {"calls": {"type": "array", "maxItems": at_once, "items": {"anyOf": kinds}}},
        "required": ["calls"],
        "additionalProperties": False,
    }


def _as_text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        text = "It returned what cannot be shown."
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]}… (cut)"


def _name(skill: SkillView, entry: Entry, taken: Mapping[str, object]) -> str:
    """A name that every engine takes, of this tool alone."""
    name = _NAME.sub("_", f"{skill.name}__{entry.name}")[:_LONGEST_NAME]
    number = 2
    while name in taken:
        tail = f"_{number}"
        name, number = f"{name[: _LONGEST_NAME - len(tail)]}{tail}", number + 1
    return name
