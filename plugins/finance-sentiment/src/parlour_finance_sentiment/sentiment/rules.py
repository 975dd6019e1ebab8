"""The sentiment by rules alone: movements and telling words, counted. What there is before anything was learnt."""

import math
from collections.abc import Sequence
from typing import Final

from parlour_finance_sentiment.items import Label, Language
from parlour_finance_sentiment.sentiment.features import features_of
from parlour_finance_sentiment.sentiment.tone import Tone

_STEEPNESS: Final = 1.2
_UNDECIDED: Final = 0.2
_MOST_WORDS: Final = 4


class Rules:
    """Reads sentences of one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """The sentiment of each text."""
        return [self._tone(text) for text in texts]

    def _tone(self, text: str) -> Tone:
        told = features_of(text, self._language).told
        score = math.tanh(sum(sign for _, sign in told) / _STEEPNESS)
        label: Label = "neutral" if abs(score) < _UNDECIDED else "positive" if score > 0 else "negative"
        sign = {"negative": -1, "neutral": 0, "positive": 1}[label]
        words = tuple(dict.fromkeys(words for words, its in told if its == sign and sign))
        return Tone(label, (1 + abs(score)) / 2 if sign else 1 - abs(score), score, words[:_MOST_WORDS])
