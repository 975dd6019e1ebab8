"""What a person's sentence states: what makes two of them say the same, and what makes them contradict each other.

By rules, on plain forms: of a statement and its denial, and of two counts of one thing, only one can hold. A wrong
plain form does no harm, since only another text with the very same form gives way to it. Whatever contradicts in other
words (Mondays and Tuesdays) a model has to find.
"""

import re
import unicodedata
from typing import Final

# Contractions fall apart where letters are parted from signs: "don't" is "don t" here.
_FULL_FORMS: Final = (
    (re.compile(r"\bcannot\b|\bcan t\b"), "can not"),
    (re.compile(r"\bwon t\b"), "will not"),
    (re.compile(r"\b(?:do|does) not\b|\b(?:don|doesn) t\b|\b(?:dont|doesnt)\b"), "not"),
    (re.compile(r"\b(\w+)n t\b"), r"\1 not"),
    (re.compile(r"\bi m\b"), "i am"),
    (re.compile(r"\b(he|she|they|we) (?:s|re)\b"), r"\1 is"),
    (re.compile(r"\b(i|you|we|they) ve\b"), r"\1 have"),
)
# It is the person's own statement, whether they or a model put it down, and it holds today.
_SPEAKER: Final = re.compile(r"^(?:(?:i|he|she|they|(?:the )?(?:user|person)) |(?:我|他|她|用户|对方)(?!们)的?)")
_OWNER: Final = re.compile(r"^(?:my|his|her|their|(?:the )?(?:user|person) s) ")
_TODAY: Final = re.compile(r"\b(?:now|currently|nowadays|these days|at the moment)\b|现在|目前|了$")
_PLAIN: Final = {"am": "be", "is": "be", "are": "be", "has": "have"}
_DENIAL: Final = re.compile(r"\b(?:not|no longer|never|any ?more|any longer)\b|不再|不|没")
_COUNT: Final = re.compile(
    r"(\b(?:have|be)\b |[有是])"
    r"(?:\d+|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|[一二两三四五六七八九十百]+)"
)


def normal(text: str) -> str:
    """`text` as it is compared: its letters and digits, small, in words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"[^\W_]+", folded))


def singular(word: str) -> str:
    """A word without the ending of its plural, and of a verb's third person."""
    return word[:-1] if len(word) > len("his") and word.endswith("s") and not word.endswith("ss") else word


def statement(text: str) -> str:
    """The same for texts that say the same of a person: "I like tea" and "likes tea"."""
    said = normal(text)
    for pattern, full in _FULL_FORMS:
        said = pattern.sub(full, said)
    said = _TODAY.sub(" ", _OWNER.sub("my ", _SPEAKER.sub("", said)).strip())
    return " ".join(_PLAIN.get(word, singular(word)) for word in said.split())


def claim(text: str) -> str:
    """The same for statements that contradict each other: one and its denial, and two counts of the same thing."""
    return " ".join(_COUNT.sub(r"\1#", _DENIAL.sub(" ", statement(text))).split())
