"""The steps of a turn's life by name, each a boundary between two side effects at which a process may die."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from parlour.turns.ports import Verdict

Process = Literal["gateway", "worker", "scheduler"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the function at a step: what it was given, by name, and what it returned, if it has."""

    given: Mapping[str, Any]
    returned: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """A place in the code, `module:Class.function` or `module:function`, and whether death comes before or after it.

    `is_reached`: whether a call is the boundary. One that does nothing (no turn to claim, nothing due) is none.
    """

    process: Process
    place: str
    when: Literal["before", "after"]
    tells: str
    is_reached: Callable[[Call], bool] = lambda _: True


def _has_returned(call: Call) -> bool:
    return bool(call.returned)


def _has_accepted(call: Call) -> bool:
    return any(taken.verdict is Verdict.ACCEPTED for taken in call.returned)


def _has_following(call: Call) -> bool:
    return call.given["following"] is not None


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "intake.begin": Step("gateway", "parlour.turns.intake:TakeIn._commit", "before", "fetched, nothing stored"),
        "intake.committed": Step("gateway", "parlour.turns.intake:TakeIn._commit", "after", "stored, not published"),
        "intake.published": Step(
            "gateway", "parlour.turns.intake:TakeIn.receive_all", "after", "told, not confirmed", _has_accepted
        ),
        "answer.claimed": Step(
            "worker", "parlour.turns.order:Order.claim", "after", "leased, nothing done", _has_returned
        ),
        "answer.asked": Step("worker", "parlour.turns.answer:Answerer._generate", "before", "read, model not asked"),
        "answer.written": Step("worker", "parlour.turns.answer:Answerer._finish", "before", "written, not committed"),
        "answer.committed": Step(
            "worker", "parlour.turns.answer:Answerer._after", "before", "committed, nobody told", _has_following
        ),
        "answer.told": Step(
            "worker", "parlour.turns.answer:Answerer._after", "after", "committed and told", _has_following
        ),
        "delivery.taken": Step("gateway", "parlour.turns.deliver:Sender._try", "before", "marked, not sent"),
        "delivery.sent": Step("gateway", "parlour.turns.deliver:Sender._request", "after", "sent, not written down"),
        "delivery.noted": Step("gateway", "parlour.turns.ledger:Ledger.record", "before", "known, not written down"),
        "delivery.recorded": Step("gateway", "parlour.turns.ledger:Ledger.record", "after", "written down"),
        "sweep.found": Step(
            "scheduler",
            "parlour.turns.sweeper:_publish",
            "before",
            "found, not published",
            lambda call: bool(call.given["due"]),
        ),
        "sweep.published": Step(
            "scheduler", "parlour.turns.sweeper:_publish", "after", "published, not noted", _has_returned
        ),
    }
)
