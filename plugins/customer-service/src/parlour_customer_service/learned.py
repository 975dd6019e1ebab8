"""What admins taught: pairs of a question and its answer, first proposed, then approved, then answered with."""

import csv
import hashlib
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from parlour.sdk import CapabilityError, SharedStore, Vectors

if TYPE_CHECKING:
    from parlour_customer_service.intents import Intents

MOST: Final = 1_000
_LONGEST: Final = 4_000
_VECTORS_AT_ONCE: Final = 256
_QUESTION: Final = frozenset({"question", "q", "问题", "提问"})
_ANSWER: Final = frozenset({"answer", "a", "best_answer", "best answer", "答案", "回答", "最佳答案"})
_REVISION: Final = "learned"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and the best answer to it."""

    question: str
    answer: str

    @property
    def id(self) -> str:
        """The same for the same question."""
        return hashlib.sha256(" ".join(self.question.casefold().split()).encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a pasted text holds, and the numbers of the lines that hold no pair."""

    pairs: tuple[Pair, ...]
    broken: tuple[int, ...]


def read_pairs(text: str) -> Parsed:
    """Pairs from `QUESTION => ANSWER` lines, JSON lines, or CSV with a header of question and answer.

    JSON lines may hold dialogues too: `{"messages": [{"role": "user", "content": …}, {"role": "assistant", …}]}`.
    A broken line is told by its number, the rest is kept.
    """
    lines = text.strip().splitlines()
    columns = _columns(lines[0]) if lines else None
    found: list[Pair] = []
    broken: list[int] = []
    numbered = _csv_rows(lines, columns) if columns else enumerate(map(_of_line, lines), start=1)
    for number, pairs in numbered:
        found += pairs or ()
        if pairs is not None and not pairs:
            broken.append(number)
    return Parsed(tuple(found), tuple(broken))


def _of_line(line: str) -> list[Pair] | None:
    if not line.strip():
        return None
    if line.lstrip().startswith("{"):
        return list(_of_json(line))
    for mark in ("=>", "→", "⇒"):
        question, found, answer = line.partition(mark)
        if found:
            return list(_pair(question, answer))
    return []


def _of_json(line: str) -> Iterator[Pair]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return
    messages = found.get("messages")
    if isinstance(messages, list):
        yield from _of_messages(messages)
        return
    texts = {str(key).casefold(): value for key, value in found.items() if isinstance(value, str)}
    question = next((texts[key] for key in texts if key in _QUESTION), "")
    answer = next((texts[key] for key in texts if key in _ANSWER), "")
    yield from _pair(question, answer)


def _of_messages(messages: Sequence[object]) -> Iterator[Pair]:
    """What a customer said last before each answer, with that answer."""
    asked = ""
    for one in messages:
        if isinstance(one, Mapping) and isinstance(one.get("content"), str):
            if one.get("role") in {"user", "customer"}:
                asked = one["content"]
            elif asked:
                yield from _pair(asked, one["content"])
                asked = ""


def _columns(head: str) -> tuple[int, int, str] | None:
    """The places of question and answer in a CSV header, and what parts its columns."""
    for mark in (",", "\t", ";"):
        names = [name.strip().strip('"\ufeff').casefold() for name in head.split(mark)]
        questions = [at for at, name in enumerate(names) if name in _QUESTION]
        answers = [at for at, name in enumerate(names) if name in _ANSWER]
        if questions and answers:
            return questions[0], answers[0], mark
    return None


def _csv_rows(lines: Sequence[str], columns: tuple[int, int, str]) -> Iterator[tuple[int, list[Pair] | None]]:
    question, answer, mark = columns
    rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=mark)
    next(rows, None)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield rows.line_num, []
            continue
        if any(cell.strip() for cell in row):
            is_whole = len(row) > max(question, answer)
            yield rows.line_num, list(_pair(row[question], row[answer])) if is_whole else []


def _pair(question: str, answer: str) -> Iterator[Pair]:
    question, answer = question.strip(), answer.strip()
    if question and answer and len(question) + len(answer) <= _LONGEST:
        yield Pair(question, answer)


# ---- what was approved, in this process's memory ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Match:
    """An approved answer, and how sure it is the one asked for, 0 to 1."""

    question: str
    answer: str
    id: str
    sureness: float


@dataclass(frozen=True, slots=True)
class _Known:
    """What was learned at a revision: the pairs by their answer, and what tells which is meant."""

    revision: str | None = None
    pairs: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    intents: "Intents | None" = None
    has_vectors: bool = False


class Learned:
    """Finds approved answers. Learns anew when the shelf has changed; one for each process."""

    def __init__(self) -> None:
        self._known = _Known()

    async def find(self, question: str, shared: SharedStore, vectors: Vectors) -> list[Match]:
        """The approved answers nearest to the question, the surest first."""
        # Held from here on: another turn may learn anew while this one waits for its vector.
        known = await self._fresh(shared, vectors)
        if known.intents is None:
            return []
        rows = await _embedded([question], vectors) if known.has_vectors else None
        guesses = known.intents.guesses(question, None if rows is None else rows[0])
        return [_match(known.pairs[one.label], question, one.sureness) for one in guesses]

    async def _fresh(self, shared: SharedStore, vectors: Vectors) -> _Known:
        state = await shared.get("state", _REVISION)
        revision = str(state["revision"]) if state else None
        if revision != self._known.revision:
            self._known = await _learn(revision, await shared.all("learned"), vectors)
        return self._known


async def _learn(revision: str | None, found: Sequence[Mapping[str, Any]], vectors: Vectors) -> _Known:
    if not found:
        return _Known(revision)
    # numpy takes a moment and memory: a process that has learned nothing does without.
    from parlour_customer_service.intents import Intents  # noqa: PLC0415

    labels = [hashlib.sha256(one["answer"].encode()).hexdigest() for one in found]
    pairs: dict[str, list[Mapping[str, Any]]] = {}
    for label, one in zip(labels, found, strict=True):
        pairs.setdefault(label, []).append(one)
    texts = [one["question"] for one in found]
    rows = await _embedded(texts, vectors)
    return _Known(revision, pairs, Intents(texts, labels, rows), rows is not None)


async def changed(shared: SharedStore) -> None:
    """Tell every process that what was learned has changed."""
    await shared.put("state", {"revision": secrets.token_hex(8)}, id=_REVISION)


async def _embedded(texts: Sequence[str], vectors: Vectors) -> Any:  # noqa: ANN401 (rows of numpy, None without a model)
    from parlour_customer_service.intents import forms, meanings  # noqa: PLC0415 (see above)

    wanted = [form for text in texts for form in forms(text)]

    try:
        rows = [
            row
            for at in range(0, len(wanted), _VECTORS_AT_ONCE)
            for row in await vectors.embed(wanted[at : at + _VECTORS_AT_ONCE])
        ]
    except CapabilityError:
        return None
    return meanings(rows)


def _match(pairs: Sequence[Mapping[str, Any]], question: str, sureness: float) -> Match:
    from parlour_customer_service.words import coverage  # noqa: PLC0415

    nearest = max(pairs, key=lambda one: coverage(question, one["question"]))
    return Match(nearest["question"], nearest["answer"], nearest["id"], sureness)
