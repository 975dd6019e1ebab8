"""One thing to remember about a person: what kind it is, and what makes two of them the same thing."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from parlour.people.statements import claim, normal, singular, statement

LONGEST_TEXT: Final = 300


class EntryKind(StrEnum):
    """What an entry of the profile is."""

    PREFERENCE = "preference"
    INTEREST = "interest"
    MEMORY = "memory"


class Slot(StrEnum):
    """What a preference is about."""

    NAME = "name"
    LANGUAGE = "language"
    TONE = "tone"
    LENGTH = "length"
    FORMAT = "format"
    NEVER = "never"


class Source(StrEnum):
    """How it came to be known."""

    TOLD = "told"  # the person asked for it to be remembered
    LEARNED = "learned"  # from what they wrote


# A person has one of each; anything else may be there many times.
_SINGLE_SLOTS: Final = frozenset({Slot.NAME, Slot.LANGUAGE, Slot.TONE, Slot.LENGTH, Slot.FORMAT})


@dataclass(frozen=True, slots=True)
class Fact:
    """What is to be remembered. `slot` is for preferences alone; `vector` is its meaning, packed, where known."""

    kind: EntryKind
    text: str
    slot: Slot | None = None
    vector: bytes | None = None

    @property
    def key(self) -> str:
        """The same for two facts of which a person can have only one at a time."""
        if self.slot in _SINGLE_SLOTS:
            return f"slot {self.slot}"
        if self.kind is EntryKind.MEMORY and (topic := single_topic(self.text)):
            return f"topic {topic}"
        # What they never want is said by a denial: without it, it is another wish.
        return f"{self.slot} {normal(self.text)}" if self.slot else f" {claim(self.text)}"

    def says_the_same_as(self, other: "Fact") -> bool:
        """Whether both tell the same, in whichever person."""
        return (self.kind, self.slot, statement(self.text)) == (other.kind, other.slot, statement(other.text))


# What a person has one of: a new one takes the place of the old one. Whose it is comes first: a sister's town is hers.
_OTHERS: Final = re.compile(
    r"\b(?:(?:my|his|her|their|the user's) )?(?:sister|brother|mother|father|mom|dad|mum|son|daughter|wife|husband|"
    r"partner|friend|parents?|boss|colleague|cat|dog|children|kids)\b|"
    r"(?:姐姐|妹妹|哥哥|弟弟|妈妈|母亲|爸爸|父亲|儿子|女儿|妻子|老婆|丈夫|老公|朋友|父母|老板|同事|孩子|猫|狗)"
)
_TOPICS: Final = (
    ("home", r"\b(?:lives?|living|moved|based|resides?|home (?:town|city|is))\b|住在|搬到|搬去|居住|定居"),
    ("work", r"\b(?:works?|working|employed|job|profession)\b (?:as|at|for|is|in|an?\b)|工作是|职业|从事|就职|上班"),
    ("birthday", r"\b(?:birthday|born on|date of birth)\b|生日|出生"),
    ("age", r"\b\d{1,3} years? old\b|\bage is \d|\d{1,3}\s*岁|年龄"),
    ("origin", r"\b(?:comes?|came|originally|is|are|am) from\b|来自|老家"),
    ("favourite colour", r"\bfavou?rite colou?r\b|最喜欢的颜色"),
    ("favourite food", r"\bfavou?rite (?:food|dish|meal)\b|最喜欢(?:吃|的食物|的菜)"),
    ("favourite team", r"\bfavou?rite team\b|最喜欢的球队"),
    ("favourite book", r"\bfavou?rite book\b|最喜欢的书"),
    ("name", r"\b(?:cat|dog|pet)(?:'s name)?(?: is)? (?:called|named|is)\b|(?:猫|狗|宠物)(?:的名字)?叫"),
)  # fmt: skip
_COMPILED: Final = tuple((topic, re.compile(pattern)) for topic, pattern in _TOPICS)


def single_topic(text: str) -> str | None:
    """What `text` is about where a person has one of that only (`home`, `sister home`), None otherwise."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    whose = _OTHERS.search(folded)
    owner = f"{normal(whose.group()).split()[-1]} " if whose else ""
    for topic, pattern in _COMPILED:
        if pattern.search(folded):
            return f"{owner}{topic}"
    return None


_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
# Words that are everywhere say nothing about what two texts have in common.
_IDLE: Final = frozenset(
    """
    a an and are as at be been but by can could did do does for from had has have he her his how i if in is it its me my
    no not of on or our please she should so that the their them there these they this to too us was we were what when
    where which who why will with would you your am im user person they like likes really very much also just some any
    """.split()  # noqa: SIM905 (a list of a hundred quoted words is no better to read)
)
_IDLE_HAN: Final = frozenset("的了是在和与及或也就而吗呢吧啊我你您他她它们这那个有把被对从到很请")


def plain_words(text: str) -> set[str]:
    """What a text is about: words without their plural, and every two neighbouring Chinese characters."""
    folded = normal(text)
    found = {singular(word) for word in _HAN.sub(" ", folded).split()} - _IDLE
    for run in _HAN.findall(folded):
        said = [character for character in run if character not in _IDLE_HAN]
        found |= {"".join(pair) for pair in pairwise(said)} if len(said) > 1 else set(said)
    return found
