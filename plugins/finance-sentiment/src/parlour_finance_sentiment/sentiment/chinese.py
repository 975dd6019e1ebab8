"""Chinese financial headlines as characters, words and signals."""

import re
from collections.abc import Iterator
from typing import Final

from parlour_finance_sentiment.sentiment.english import Signal
from parlour_finance_sentiment.sentiment.words import CHINESE

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
# 荣之联：股东拟减持不超过651万股
_SUBJECT: Final = re.compile(r"^[^：:，。]{2,8}[：:]")
_DIRECTIONS: Final = {"up": 1, "down": -1}
_BEHIND, _AHEAD = 12, 6
_TONES: Final = sorted(CHINESE.tones, key=len, reverse=True)
_MOVES: Final = sorted((word for word, kind in CHINESE.kinds.items() if kind in _DIRECTIONS), key=len, reverse=True)
_THINGS: Final = sorted(
    (word for word, kind in CHINESE.kinds.items() if kind not in _DIRECTIONS), key=len, reverse=True
)
_MOVE: Final = re.compile("|".join(_MOVES))
_THING: Final = re.compile("|".join(_THINGS))
TONE: Final = re.compile("|".join(_TONES))
_CLAUSE: Final = re.compile(r"[^，。；;！？、 ]+")
# What undoes a plan, wherever it stands in the clause: 减持计划终止, 终止减持计划, 未实施减持.
_UNDOING: Final = r"终止|取消|未(?!来)|不(?!超|低|少|足|断|良|高|多|动产)|暂停|否认|没有|放弃|无(?!锡|人|线)"
_UNDONE: Final = re.compile(_UNDOING)
_UNDONE_OR_LATE: Final = re.compile(rf"{_UNDOING}|延期|顺延|届满|承诺|澄清")
_PLANS: Final = re.compile(
    "减持|增持|回购|收购|重组|签署|合作|参与|转让|筹划|质押|触及|通过|获批|业绩|定增|实施|披露|立案|影响|停牌|变更|解禁|检修"
)


def said(text: str) -> str:
    """A headline without whose it is, numbers all alike: what can be learnt from one company for another."""
    plain = _NUMBER.sub("0", text)
    return f"^{_SUBJECT.sub('', plain)}$"


def signals_of(text: str) -> list[Signal]:
    """What the headline says about movements."""
    return list(_events(text))


def tones_of(text: str) -> Iterator[tuple[str, int]]:
    """Words that are good (1) or bad (-1) news by themselves; turned round where their clause undoes them."""
    for clause in _CLAUSE.findall(text):
        words = TONE.findall(clause)
        plans = [word for word in words if not _UNDONE.match(word)]
        is_undone = bool(plans) and _UNDONE.search(clause) is not None
        yield from ((word, CHINESE.tones[word] * (-1 if is_undone else 1)) for word in plans or words)


def undone_in(text: str) -> Iterator[str]:
    """Plans, each with whether its clause undoes it, as features."""
    for clause in _CLAUSE.findall(text):
        undone = _UNDONE_OR_LATE.search(clause)
        for plan in dict.fromkeys(_PLANS.findall(clause)):
            yield f"plan:{plan}:{undone[0] if undone else ''}"
            yield f"plan:{plan}:{bool(undone)}"


def _events(text: str) -> Iterator[Signal]:
    for clause in _CLAUSE.findall(text):
        things = [(found.start(), found[0]) for found in _THING.finditer(clause)]
        undone = _UNDONE.search(clause)
        for found in _MOVE.finditer(clause):
            place, direction = found.start(), CHINESE.kinds[found[0]]
            near = [(abs(at - place), word) for at, word in things if place - _BEHIND <= at <= place + _AHEAD]
            thing = min(near)[1] if near else ""
            of = CHINESE.kinds.get(thing, "")
            sign = _DIRECTIONS[direction] * (-1 if of == "bad" else 1) * (-1 if undone else 1)
            yield Signal("event", f"not-{direction}" if undone else direction, of, sign, f"{thing}{found[0]}")
