"""English financial news as tokens, and as signals: which figure moved which way, and whether that is good."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from parlour_finance_sentiment.sentiment.words import ENGLISH

_NUMBER: Final = re.compile(
    r"(?<![\w.])(?:(?P<before>eur|usd|gbp|sek|nok|dkk|rub|cny|rmb|hk\$|us\$|[$€£¥])\s?)?"
    r"(?P<value>\d{1,3}(?:[ ,]\d{3})+(?:\s?\.\s?\d+)?|\d+(?:\s?\.\s?\d+)?)(?!\d)"
    r"\s*(?P<percent>%|percent\b|per cent\b|pct\b)?"
    r"\s*(?P<scale>mn\b|m\b|mln\b|million\b|bn\b|billion\b|trillion\b|thousand\b|k\b)?"
    r"\s*(?P<after>euros?\b|eur\b|usd\b|dollars?\b|crowns?\b|yuan\b)?"
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*|[^\w\s]")
_GLUED: Final = re.compile(r"\b(eur|usd|gbp)(\d)")
_SCALES: Final = {
    "mn": 1e6, "m": 1e6, "mln": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9, "trillion": 1e12, "thousand": 1e3,
    "k": 1e3,
}  # fmt: skip
_FIRST_YEAR, _LAST_YEAR = 1980, 2040
_COMPARING: Final = frozenset({"from", "compared", "against", "versus", "vs", "("})
_NOT: Final = frozenset({"not", "no", "without", "never", "nor", "cannot", "n't", "unlikely"})
# How far a word reaches, in tokens: found by trying, and of little weight.
_BETWEEN_NUMBERS, _BEHIND, _AHEAD, _NEGATION = 14, 9, 6, 3
_NEAR: Final = 5


@dataclass(frozen=True, slots=True)
class Token:
    """A word in lower case, or a number as its kind (`percent`, `money`, `number`, `year`) and value."""

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A movement and what moved: `kind` is `event` (a word says it) or `figures` (two numbers do).

    `sign` is 1 where that is good, -1 where it is bad. `words` are those that say it, for people.
    """

    kind: str
    direction: str
    of: str
    sign: int
    words: str

    @property
    def name(self) -> str:
        """As a feature."""
        return f"{self.kind}:{self.direction}:{self.of}:{self.sign}"


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, numbers read as such."""
    plain = _GLUED.sub(r"\1 \2", text.lower().replace("’", "'"))
    made: list[Token] = []
    at = 0
    for found in _NUMBER.finditer(plain):
        made += [Token(word) for word in _WORD.findall(plain[at : found.start()])]
        made.append(_number(found))
        at = found.end()
    return made + [Token(word) for word in _WORD.findall(plain[at:])]


def signals_of(tokens: Sequence[Token]) -> list[Signal]:
    """What the text says about movements."""
    kinds = [ENGLISH.kinds.get(token.text, "") for token in tokens]
    return [*_figures(tokens, kinds), *_events(tokens, kinds)]


def pairs_of(tokens: Sequence[Token]) -> Iterator[str]:
    """Each thing that can move beside each direction near it, as features."""
    kinds = [ENGLISH.kinds.get(token.text, "") for token in tokens]
    for place, kind in enumerate(kinds):
        if kind in {"up", "down"}:
            for other in range(max(0, place - _NEAR), min(len(kinds), place + _NEAR)):
                if kinds[other] in {"good", "bad"}:
                    yield f"pair:{tokens[other].text}:{kind}"


def _number(found: re.Match[str]) -> Token:
    value = float(re.sub(r"[ ,]", "", found["value"]))
    if found["percent"]:
        return Token("percent", value)
    is_money = bool(found["before"] or found["after"] or found["scale"])
    if not is_money and value.is_integer() and _FIRST_YEAR <= value <= _LAST_YEAR:
        return Token("year", value)
    return Token("money" if is_money else "number", value * _SCALES.get(found["scale"] or "", 1.0))


def _figures(tokens: Sequence[Token], kinds: Sequence[str]) -> Iterator[Signal]:
    """Two numbers that are compared: rose to 4.7 from 4.6; from 38.3 to 30.6; 0.33 versus 0.27; 9.1 (8.2)."""
    texts = [token.text for token in tokens]
    places = [place for place, token in enumerate(tokens) if token.value is not None and token.text != "year"]
    for first, second in pairwise(places):
        between = texts[first + 1 : second]
        if second - first > _BETWEEN_NUMBERS or (texts[first] == "percent") != (texts[second] == "percent"):
            continue
        now, before = tokens[first].value or 0.0, tokens[second].value or 0.0
        if "to" in between and "from" in texts[max(0, first - _NEGATION) : first]:
            now, before = before, now
        elif not (_COMPARING & {*between} or "compared" in texts):
            continue
        direction = "same" if now == before else "up" if now > before else "down"
        of = next(
            (kinds[at] for at in range(first - 1, max(-1, first - _BETWEEN_NUMBERS), -1) if kinds[at] in _THINGS), ""
        )
        yield _signal("figures", direction, of, tokens[first : second + 1])


def _events(tokens: Sequence[Token], kinds: Sequence[str]) -> Iterator[Signal]:
    """Words that say a movement, with the nearest thing that moves."""
    for place, kind in enumerate(kinds):
        if kind not in {"up", "down"}:
            continue
        near = range(max(0, place - _BEHIND), min(len(kinds), place + _AHEAD))
        things = sorted(_distance(at, place) for at in near if kinds[at] in _THINGS)
        before = {token.text for token in tokens[max(0, place - _NEGATION) : place]}
        thing = things[0][1] if things else place
        span = (
            tokens[min(thing, place) : max(thing, place) + 1]
            if abs(thing - place) <= 1
            else [tokens[thing], tokens[place]]
        )
        if thing > place:
            span = sorted(span, key=lambda token: token is not tokens[place])
        found = _signal("event", kind, kinds[thing] if things else "", span)
        yield Signal(found.kind, f"not-{kind}", found.of, -found.sign, found.words) if _NOT & before else found


_THINGS: Final = frozenset({"good", "bad"})
_SHOWN: Final = ((1e12, " tn"), (1e9, " bn"), (1e6, " mn"))
_DIRECTIONS: Final = {"up": 1, "down": -1, "same": 0}


def _distance(at: int, place: int) -> tuple[float, int]:
    """What stands before a movement is what moved, more often than what stands behind it."""
    return (place - at if at < place else (at - place) * 1.4), at


def _signal(kind: str, direction: str, of: str, span: Sequence[Token]) -> Signal:
    sign = _DIRECTIONS[direction] * (-1 if of == "bad" else 1)
    return Signal(kind, direction, of, sign, " ".join(_shown(token) for token in span))


def _shown(token: Token) -> str:
    if token.value is None:
        return token.text
    if token.text == "percent":
        return f"{token.value:g}%"
    scale, name = next(((scale, name) for scale, name in _SHOWN if token.value >= scale), (1, ""))
    return f"{token.value / scale:,.10g}{name}"
