"""The sentiment of a sentence as it is told."""

from dataclasses import dataclass

from parlour_finance_sentiment.items import Label


@dataclass(frozen=True, slots=True)
class Tone:
    """A label, how sure (a probability), a score from -1 to 1, and the words that made it so."""

    label: Label
    sureness: float
    score: float
    words: tuple[str, ...]
