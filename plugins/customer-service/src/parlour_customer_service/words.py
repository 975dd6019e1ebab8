"""What a text is about: its content words, English ones by their stem, Chinese by pairs of characters."""

import re
from typing import Final

_RUN: Final = re.compile(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*|[\u3400-\u9fff]+")
# Behind a mark, where it ends a sentence and not a name: info@shop.example, 14.50.
_END: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
_SUFFIXES: Final = ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "s", "ly")
_SHORTEST_STEM: Final = 3
# What says nothing about the subject of a question.
_EMPTY_WORDS: Final = """
a about after all am an and any are as at be been but by can can't cannot could did do does doesn't don't for
from get got had has have he hello her hi him his how i i'd i'll i'm i've if in is isn't it it's its just let
like may me might mine my need no not of off oh ok on one or our out please she should so some tell than thank
thanks that the their them then there these they this those to too up us want was we well were what what's when
where which who why will with would you your yours
"""
_EMPTY: Final = frozenset(_EMPTY_WORDS.split())
_EMPTY_ZH: Final = re.compile(
    "请问|我想问|想问一下|告诉我|帮我|可不可以|能不能|是不是|有没有|怎么样|怎么|什么|为什么|多少|多久|几点|哪里|哪儿|哪个|如何|"
    "可以|需要|应该|知道|你们|我们|他们|您们|你好|您好|谢谢|一下|时候|[的了吗呢吧啊呀么嘛是在有我你您他她它这那个和与就都也还要想能会不请问把被给对从到为以及哦嗯]"
)


def content_words(text: str) -> list[str]:
    """The words that carry meaning, in their order, repeated as they are."""
    found: list[str] = []
    for run in _RUN.findall(text.lower()):
        if run[0] >= "\u3400":
            found += _pairs(run)
        elif run not in _EMPTY:
            found.append(stem(run))
    return found


def subjects(text: str) -> list[str]:
    """The words that carry meaning as they were written, each once; no numbers, which may point at a person."""
    runs = _RUN.findall(text.lower())
    named = [one for one in runs if one[0] < "\u3400" and one not in _EMPTY and not any(map(str.isdigit, one))]
    return [*dict.fromkeys([*named, *(pair for one in runs if one[0] >= "\u3400" for pair in _pairs(one))])]


def stem(word: str) -> str:
    """The word without the endings of English grammar; crude, and the same for question and answer."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            bare = word[: -len(suffix)]
            return f"{bare}y" if suffix in {"ies", "ied"} else bare.rstrip("e")
    return word.rstrip("e") if len(word) > _SHORTEST_STEM else word


def _pairs(run: str) -> list[str]:
    """Neighbouring characters two by two, of what is left between words that say nothing."""
    found = []
    for part in _EMPTY_ZH.split(run):
        found += [part[at : at + 2] for at in range(len(part) - 1)] if len(part) > 1 else [*part]
    return found


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, as they stand."""
    return [one.strip() for one in _END.split(text) if one.strip()]


def coverage(question: str, text: str) -> float:
    """How much of what the question is about the text mentions, 0 to 1; 0 for a question about nothing."""
    wanted = set(content_words(question))
    return len(wanted & set(content_words(text))) / len(wanted) if wanted else 0.0


def is_chinese(text: str) -> bool:
    """Whether it has Chinese characters."""
    return bool(re.search(r"[\u3400-\u9fff]", text))
