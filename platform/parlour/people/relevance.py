"""Which of what is remembered about a person has to do with what they ask, in the order of its importance."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from parlour.people.facts import EntryKind, Slot
from parlour.people.profile import Entry

# Nearness of two texts, from their packed vector or their words: 1 is the same, 0 has nothing to do with it.
Nearness = Callable[[str, Sequence[Entry]], Sequence[float]]
Words = Callable[[str], Iterable[str]]

# Tells nothing about the person to whoever reads along.
_FOR_GROUPS: Final = frozenset({Slot.NAME, Slot.LANGUAGE, Slot.TONE, Slot.LENGTH, Slot.FORMAT})
# At most so many facts, however large the budget: a small model drowns in more.
MOST_FACTS: Final = 8
# Below, a fact has nothing to do with the question.
LEAST_NEARNESS: Final = 0.2
_LABELS: Final = {
    Slot.NAME: ("Call them: {}", "称呼对方：{}"),
    Slot.LANGUAGE: ("Language they want: {}", "对方希望的语言：{}"),
    Slot.TONE: ("Tone they want: {}", "对方希望的语气：{}"),
    Slot.LENGTH: ("Length they want: {}", "对方希望的长度：{}"),
    Slot.FORMAT: ("Format they want: {}", "对方希望的格式：{}"),
    Slot.NEVER: ("They do not want: {}", "对方不希望：{}"),
    EntryKind.INTEREST: ("They are interested in: {}", "对方感兴趣：{}"),
    EntryKind.MEMORY: ("They said: {}", "对方说过：{}"),
}


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses by meaning where there is something to embed with, else by common words."""

    words: Words
    nearness: Nearness | None = None

    def choose(self, entries: Sequence[Entry], question: str, *, language: str, is_private: bool) -> tuple[str, ...]:
        """Lines for the prompt: every preference, then the facts and interests that are near the question."""
        wishes = [one for one in entries if one.fact.kind is EntryKind.PREFERENCE]
        if not is_private:
            return tuple(_line(one, language) for one in wishes if one.fact.slot in _FOR_GROUPS)
        facts = [one for one in entries if one.fact.kind is not EntryKind.PREFERENCE]
        order = list(Slot)
        wishes.sort(key=lambda one: order.index(one.fact.slot or Slot.NEVER))
        return tuple(_line(one, language) for one in [*wishes, *self.near(facts, question)])

    def near(self, facts: Sequence[Entry], question: str) -> list[Entry]:
        """The facts that have to do with the question, the nearest first."""
        if not facts:
            return []
        scores = self._scores(facts, question)
        ranked = sorted(zip(scores, facts, strict=True), key=lambda pair: (-pair[0], -pair[1].updated_at.timestamp()))
        return [entry for score, entry in ranked[:MOST_FACTS] if score >= LEAST_NEARNESS]

    def _scores(self, facts: Sequence[Entry], question: str) -> list[float]:
        asked = set(self.words(question))
        common = [overlap(asked, set(self.words(one.fact.text))) for one in facts]
        if self.nearness is None:
            return common
        return [max(pair) for pair in zip(common, self.nearness(question, facts), strict=True)]


def overlap(asked: set[str], said: set[str]) -> float:
    """The part of the shorter one's words that the other one has too."""
    return len(asked & said) / max(1, min(len(asked), len(said)))


def _line(entry: Entry, language: str) -> str:
    english, chinese = _LABELS[entry.fact.slot or entry.fact.kind]
    return (chinese if language == "zh" else english).format(" ".join(entry.fact.text.split()))
