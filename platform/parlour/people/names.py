"""People's names as messengers give them: anything at all, made fit to be shown beside other text."""

import re
import unicodedata
from typing import Final

LONGEST: Final = 100
# What joins emoji and letters of Indic and Arabic scripts; every other format character can only mislead.
_JOINERS: Final = frozenset("\u200c\u200d")
_SPACES: Final = re.compile(r"\s+")


def display_name(raw: str) -> str:
    """`raw` in one line of at most `LONGEST` characters, without what is invisible or turns the writing direction.

    Markup stays as it was typed: every page and messenger escapes what it shows. Empty where nothing readable is left.
    """
    whole = raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    line = _SPACES.sub(" ", "".join(_seen(character) for character in unicodedata.normalize("NFC", whole))).strip()
    is_readable = any(unicodedata.category(character)[0] not in "CZM" for character in line)
    return line[:LONGEST].rstrip() if is_readable else ""


def _seen(character: str) -> str:
    if character in _JOINERS:
        return character
    kind = unicodedata.category(character)
    if kind in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if kind in {"Cf", "Cs", "Co", "Cn"} else character
