"""A text as numbers: which words, letters and movements are in it. The same for training and for use."""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from parlour_finance_sentiment.items import Language
from parlour_finance_sentiment.sentiment import chinese, english
from parlour_finance_sentiment.sentiment.words import ENGLISH

# Features have no list of their own: a name's place is its hash. 2**18 places leave few to be shared.
PLACES: Final = 1 << 18
DENSE: Final = 16
_LONGEST_TEXT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Features:
    """`names` by block (w: words, c: letters, s: signals …); `dense` are a few counts; `told` is for people."""

    blocks: dict[str, Counter[str]]
    dense: tuple[float, ...]
    told: tuple[tuple[str, int], ...]


def features_of(text: str, language: Language) -> Features:
    """The features of a text."""
    return (_chinese if language == "zh" else _english)(text[:_LONGEST_TEXT])


def hashed(features: Features) -> Iterator[tuple[list[int], list[float]]]:
    """Places and values, block by block."""
    for block, names in features.blocks.items():
        prefix = zlib.crc32(block.encode())
        places = [zlib.crc32(name.encode(), prefix) % PLACES for name in names]
        yield places, [1.0 + math.log(count) for count in names.values()]


def _english(text: str) -> Features:
    tokens = english.tokens_of(text)
    signals = english.signals_of(tokens)
    words = [token.text for token in tokens]
    tones = [(word, ENGLISH.tones[word]) for word in words if word in ENGLISH.tones]
    pairs = list(english.pairs_of(tokens))
    blocks = {
        "w": Counter(_runs(words, 3, " ")),
        "c": Counter(_letters(words)),
        "s": Counter([*(signal.name for signal in signals), *pairs]),
        "k": Counter(_apart([token.text for token in tokens if len(token.text) > 1])),
    }
    return Features(blocks, _dense(signals, tones, tokens), _told(signals, tones))


def _chinese(text: str) -> Features:
    said = chinese.said(text)
    signals, tones = chinese.signals_of(text), list(chinese.tones_of(text))
    blocks = {
        "b": Counter(_runs(said, 4, "")),
        "c": Counter(_runs(text, 3, "")),
        "s": Counter([*(signal.name for signal in signals), *(word for word, _ in tones)]),
        "p": Counter(chinese.undone_in(text)),
    }
    return Features(blocks, _dense(signals, tones, []), _told(signals, tones))


def _runs(parts: Sequence[str], longest: int, between: str) -> Iterator[str]:
    for length in range(1, longest + 1):
        for start in range(len(parts) - length + 1):
            yield between.join(parts[start : start + length])


def _apart(words: Sequence[str]) -> Iterator[str]:
    """Two words with one to six others between: `profit … rose`."""
    for place, word in enumerate(words):
        for other in words[place + 2 : place + 8]:
            yield f"{word}~{other}"


def _letters(words: Iterable[str]) -> Iterator[str]:
    """Two to five letters within a word, its ends marked: endings and stems that words share."""
    for word in words:
        marked = f" {word} "
        for length in range(2, 6):
            for start in range(max(1, len(marked) - length + 1)):
                yield marked[start : start + length]


def _dense(
    signals: Sequence[english.Signal], tones: Sequence[tuple[str, int]], tokens: Sequence[english.Token]
) -> tuple[float, ...]:
    events = [signal.sign for signal in signals if signal.kind == "event"]
    figures = [signal.sign for signal in signals if signal.kind == "figures"]
    kinds = [token.text for token in tokens if token.value is not None]
    made = [
        *_counts(events), *_ends(events), *_counts(figures), *_ends(figures), *_counts([sign for _, sign in tones]),
        len(tokens) / 25, len(kinds) / 3, kinds.count("percent"), kinds.count("money"), kinds.count("year"),
    ]  # fmt: skip
    return (*map(float, made), *[0.0] * (DENSE - len(made)))


def _counts(signs: Sequence[int]) -> tuple[int, int]:
    return sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)


def _ends(signs: Sequence[int]) -> tuple[int, int]:
    return (signs[0], signs[-1]) if signs else (0, 0)


def _told(signals: Sequence[english.Signal], tones: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return (*((signal.words, signal.sign) for signal in signals if signal.sign), *tones)
