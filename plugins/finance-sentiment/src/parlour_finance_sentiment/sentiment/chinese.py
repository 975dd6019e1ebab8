"""Chinese financial headlines as characters, words and signals."""

import re
from collections.abc import Iterator
from typing import Final

from parlour_finance_sentiment.sentiment.english import Signal
from parlour_finance_sentiment.sentiment.words import CHINESE

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
# 荣之联：股东拟减持不超过651万股
_SUBJECT: Final = re.compile(r"^[^：:，。]{2,8}[：:]")
_NOT: Final = ("不", "未", "无", "没有", "否认", "终止", "取消", "并非")
_DIRECTIONS: Final = {"up": 1, "down": -1}
_BEHIND, _AHEAD, _NEGATION = 12, 6, 3
_TONES: Final = sorted(CHINESE.tones, key=len, reverse=True)
_MOVES: Final = sorted((word for word, kind in CHINESE.kinds.items() if kind in _DIRECTIONS), key=len, reverse=True)
_THINGS: Final = sorted(
    (word for word, kind in CHINESE.kinds.items() if kind not in _DIRECTIONS), key=len, reverse=True
)
_MOVE: Final = re.compile("|".join(_MOVES))
_THING: Final = re.compile("|".join(_THINGS))
TONE: Final = re.compile("|".join(_TONES))


def said(text: str) -> str:
    """A headline without whose it is, numbers all alike: what can be learnt from one company for another."""
    plain = _NUMBER.sub("0", text)
    return f"^{_SUBJECT.sub('', plain)}$"


def signals_of(text: str) -> list[Signal]:
    """What the headline says about movements."""
    return list(_events(text))


def tones_of(text: str) -> Iterator[tuple[str, int]]:
    """Words that are good (1) or bad (-1) news by themselves, turned round behind a negation."""
    for found in TONE.finditer(text):
        before = text[max(0, found.start() - _NEGATION) : found.start()]
        yield found[0], CHINESE.tones[found[0]] * (-1 if before.endswith(_NOT) else 1)


def _events(text: str) -> Iterator[Signal]:
    things = [(found.start(), found[0]) for found in _THING.finditer(text)]
    for found in _MOVE.finditer(text):
        place, direction = found.start(), CHINESE.kinds[found[0]]
        near = sorted((abs(at - place), word) for at, word in things if place - _BEHIND <= at <= place + _AHEAD)
        thing = near[0][1] if near else ""
        of = CHINESE.kinds[thing] if thing else ""
        is_turned = text[max(0, place - _NEGATION) : place].endswith(_NOT)
        sign = _DIRECTIONS[direction] * (-1 if of == "bad" else 1) * (-1 if is_turned else 1)
        yield Signal("event", f"not-{direction}" if is_turned else direction, of, sign, f"{thing}{found[0]}")
