"""What many people liked, together and one after the other: counts of people, never of fewer than may be told of."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parlour.sdk import crowd

Ints = NDArray[np.int32]

# How many days each count of recent liking looks back; 0: ever.
WINDOWS: Final = (14, 60, 0)
# One thing after another: at most so many likings later.
STEP_WITHIN: Final = 5
_DAY_S: Final = 86_400

Pairs = Sequence[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Liking:
    """Someone liked something. `person` is any name that is the same for the same person; it is not kept."""

    person: str
    item: str
    at: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Counts of people over `items`: liked (a row for each of `WINDOWS`), liked both, liked one after the other.

    `together` and `steps` hold in each row two places in `items` and the count.
    """

    items: tuple[str, ...] = ()
    liked: Ints = field(default_factory=lambda: np.zeros((len(WINDOWS), 0), np.int32))
    together: Ints = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    steps: Ints = field(default_factory=lambda: np.zeros((0, 3), np.int32))

    def is_same(self, other: "Behaviour") -> bool:
        """Whether both say the same."""
        pairs = ((self.liked, other.liked), (self.together, other.together), (self.steps, other.steps))
        return self.items == other.items and all(np.array_equal(*pair) for pair in pairs)

    def packed(self) -> bytes:
        """The counts as bytes, to be stored."""
        made = io.BytesIO()
        names = np.frombuffer("\n".join(self.items).encode(), np.uint8)
        np.savez(made, names=names, liked=self.liked, together=self.together, steps=self.steps)
        return made.getvalue()

    @classmethod
    def unpacked(cls, data: bytes) -> "Behaviour":
        """What `packed` made."""
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            text = found["names"].tobytes().decode()
            items = tuple(text.split("\n")) if text else ()
            return cls(items, found["liked"], found["together"], found["steps"])


def behaviour(counts: Sequence[Mapping[str, int]], together: Pairs, steps: Pairs) -> Behaviour:
    """The behaviour that these counts amount to; `counts` has one mapping for each of `WINDOWS`."""
    items = tuple(dict.fromkeys(name for one in counts for name in one))
    places = {name: place for place, name in enumerate(items)}
    liked = np.array([[one.get(name, 0) for name in items] for one in counts], np.int32).reshape(len(WINDOWS), -1)
    return Behaviour(items, liked, _placed(together, places), _placed(steps, places))


def from_likings(likings: Iterable[Liking], *, now: float, least: int = crowd.LEAST_PEOPLE) -> Behaviour:
    """The behaviour in a log, in the order of time. Nothing of it is kept but what `least` people share."""
    lines: dict[str, dict[str, float]] = {}
    for one in sorted(likings, key=lambda liking: liking.at):
        lines.setdefault(one.person, {})[one.item] = one.at
    people = [list(line) for line in lines.values()]
    counts = [
        crowd.counts(
            [[item for item, at in line.items() if _is_in(at, now, days)] for line in lines.values()], least=least
        )
        for days in WINDOWS
    ]
    together = list(crowd.pairs(people, least=least))
    steps = list(crowd.pairs(people, within=STEP_WITHIN, least=least))
    return behaviour(counts, together, steps)


def added_up(one: Behaviour, other: Behaviour) -> Behaviour:
    """Both taken together. They count different people: those of a log, and those who talk to the assistant."""
    items = tuple(dict.fromkeys((*one.items, *other.items)))
    places = {name: place for place, name in enumerate(items)}
    liked = np.zeros((len(WINDOWS), len(items)), np.int32)
    moved = []
    for part in (one, other):
        to = np.array([places[name] for name in part.items], np.int32)
        liked[:, to] += part.liked
        moved.append(
            [np.column_stack((to[rows[:, 0]], to[rows[:, 1]], rows[:, 2])) for rows in (part.together, part.steps)]
        )
    together, steps = (np.concatenate(both) for both in zip(*moved, strict=True))
    return Behaviour(items, liked, together, steps)


def _is_in(at: float, now: float, days: int) -> bool:
    return not days or now - at < days * _DAY_S


def _placed(pairs: Pairs, places: Mapping[str, int]) -> Ints:
    # What was counted a moment later may name what was not there before.
    rows = [(places[a], places[b], people) for a, b, people in pairs if a in places and b in places]
    return np.array(rows, np.int32).reshape(-1, 3)
