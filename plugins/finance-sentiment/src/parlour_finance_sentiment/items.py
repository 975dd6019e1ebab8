"""An item of news: what was said, where and when; and what was found out about it."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

Label = Literal["negative", "neutral", "positive"]
Language = Literal["en", "zh"]
LABELS: Final[tuple[Label, ...]] = ("negative", "neutral", "positive")

LONGEST_TITLE: Final = 400
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
_LETTER: Final = re.compile(r"[^\W\d_]")
# What publishers put behind a headline: " - Reuters", " | Bloomberg", "（来源：新浪）".
_CREDIT: Final = re.compile(r"(\s+[-|–]\s+[\w .]{2,30}|\s*[（(](来源|责任编辑|编辑)[^）)]{1,20}[）)])$")


@dataclass(frozen=True, slots=True)
class Item:
    """News as it came from a source. `at` is when it was published, or read where the source does not say."""

    title: str
    at: datetime
    source: str = ""
    link: str = ""

    @property
    def id(self) -> str:
        """The same for the same words, whatever source repeats them."""
        return hashlib.sha256(folded(self.title).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Judged:
    """An item with its language, what it is about, and its sentiment.

    `score` runs from -1 (negative) to 1; `sureness` is the probability of the label; `words` are those that made it so.
    """

    item: Item
    language: Language
    label: Label
    score: float
    sureness: float
    words: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    by: str = "classifier"

    def relabelled(self, label: Label, *, by: str) -> "Judged":
        """The same item with a label that someone else gave it."""
        score = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[label]
        return replace(self, label=label, score=score, sureness=1.0, by=by)


def language_of(text: str) -> Language:
    """Chinese where a fifth of the letters are, else English."""
    letters = len(_LETTER.findall(text))
    return "zh" if letters and len(_CHINESE.findall(text)) * 5 >= letters else "en"


def folded(title: str) -> str:
    """A title without what differs between two publishers of the same news: case, spaces, punctuation, credits."""
    plain = _CREDIT.sub("", unicodedata.normalize("NFKC", title).strip())
    return "".join(character for character in plain.casefold() if character.isalnum() or character in "%.-+")


def to_document(judged: Judged) -> dict[str, Any]:
    """The item as a document's value, short names since there are many."""
    item = judged.item
    return {
        "t": item.title, "at": int(item.at.timestamp()), "s": item.source, "l": item.link,
        **{name: getattr(judged, name) for name in _KEPT},
    }  # fmt: skip


def from_document(value: Mapping[str, Any]) -> Judged:
    """The item that `to_document` wrote."""
    item = Item(value["t"], datetime.fromtimestamp(value["at"], UTC), value["s"], value["l"])
    kept: dict[str, Any] = {
        name: tuple(value[name]) if isinstance(value[name], list) else value[name] for name in _KEPT
    }
    return Judged(item=item, **kept)


_KEPT: Final = tuple(one.name for one in fields(Judged) if one.name != "item")
