"""Where one character, as a person sees it, ends: an approximation of UAX #29 that needs no tables of its own."""

import unicodedata
from typing import Final

_ZWJ: Final = "\u200d"
_HANGUL: Final = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xAC00, 0xD7FF))
# A visible character is rarely longer; past it a cut is made anywhere rather than never.
_LONGEST: Final = 64
_VIRAMA: Final = 9
_REGIONAL: Final = ("\U0001f1e6", "\U0001f1ff")
_SKIN_TONES: Final = ("\U0001f3fb", "\U0001f3ff")
_TAGS: Final = ("\U000e0020", "\U000e007f")


def is_boundary(text: str, at: int) -> bool:
    """Whether `text` may be cut before index `at` without breaking what a person sees as one character.

    Errs towards keeping together: conjoining Hangul and everything next to a joiner count as one.
    """
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return False
    if _ZWJ in {before, after} or _extends(after):
        return False
    if _is_regional(before) and _is_regional(after):
        return _regional_run(text, at) % 2 == 0
    # Virama: an Indic consonant that joins the next one.
    if unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo":
        return False
    return not (_is_jamo(before) and _is_jamo(after) and not ("가" <= before <= "힣" and "가" <= after <= "힣"))


def boundary_before(text: str, at: int, *, least: int) -> int:
    """The last place up to `at` where `text` may be cut; `at` itself when there is none after `least` or close by."""
    for place in range(at, max(least, at - _LONGEST), -1):
        if is_boundary(text, place):
            return place
    return at


def _extends(char: str) -> bool:
    """Whether `char` belongs to the one before it: marks, variation selectors, skin tones, tags."""
    return (
        unicodedata.category(char) in {"Mn", "Mc", "Me"}
        or _SKIN_TONES[0] <= char <= _SKIN_TONES[1]
        or _TAGS[0] <= char <= _TAGS[1]
        or char == "\u200c"
    )


def _is_regional(char: str) -> bool:
    return _REGIONAL[0] <= char <= _REGIONAL[1]


def _regional_run(text: str, at: int) -> int:
    """How many regional indicators end right before `at`: flags are pairs of them."""
    start = at
    while start > 0 and _is_regional(text[start - 1]):
        start -= 1
    return at - start


def _is_jamo(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _HANGUL)
