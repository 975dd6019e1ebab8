"""Whether what was found answers a question, is one of several answers, or is none: decided without a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parlour.sdk import Passage
from parlour_customer_service.learned import Match
from parlour_customer_service.words import content_words, coverage

# A passage in the words of the question needs less nearness of meaning than one in another language.
_COVERAGE_COUNTS: Final = 0.35
# What an operator's `caution` of 0.5 stands for. It parts nine in ten of 80 questions, English and Chinese, of which a
# small shop's documents answer 45; for approved answers, `parlour bench skills` shows what it parts.
_NEEDED: Final = 0.3
_SPREAD: Final = 0.4
# Words alone, where nothing is found by meaning: most of the question has to be there.
_NEEDED_WORDS: Final = 0.6
_CLOSE: Final = 0.06
_VAGUE_WORDS: Final = 3
_MOST_OPTIONS: Final = 4
_LEARNED_NEEDED: Final = 0.45
_LEARNED_MARGIN: Final = 0.12


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, and how much it has to do with the question: about 0 to 1.3."""

    passage: Passage
    weight: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: say what was learned, answer from passages, ask back; with none of these, say one does not know."""

    learned: Match | None = None
    passages: tuple[Passage, ...] = ()
    options: tuple[str, ...] = ()


def judge(
    question: str,
    learned: Sequence[Match],
    passages: Sequence[Passage],
    *,
    caution: float,
    asks_back: bool,
) -> Verdict:
    """What the question can be answered with."""
    needed = _NEEDED + (caution - 0.5) * _SPREAD
    sure = [one for one in learned if sure_enough(one.sureness, caution)]
    known = weighed(question, passages, needed=needed)
    is_vague = asks_back and len(content_words(question)) <= _VAGUE_WORDS
    if len(sure) > 1 and is_vague and sure[0].sureness - sure[1].sureness < _LEARNED_MARGIN:
        return Verdict(options=tuple(one.question for one in sure[:_MOST_OPTIONS]))
    if sure:
        return Verdict(learned=sure[0])
    options = _places(known) if is_vague else ()
    if len(options) > 1:
        return Verdict(options=options)
    return Verdict(passages=tuple(one.passage for one in known[:3] if known[0].weight - one.weight < 2 * _CLOSE))


def sure_enough(sureness: float, caution: float) -> bool:
    """Whether an approved answer may be said."""
    return sureness >= _LEARNED_NEEDED + (caution - 0.5) * _SPREAD


def weighed(question: str, passages: Sequence[Passage], *, needed: float = 0.0) -> list[Found]:
    """The passages that have enough to do with the question, the best first."""
    found = [Found(one, _weight(question, one, needed)) for one in passages]
    return sorted((one for one in found if one.weight >= needed), key=lambda one: -one.weight)


def _weight(question: str, passage: Passage, needed: float) -> float:
    shared = coverage(question, f"{passage.place} {passage.text}")
    if passage.score > 0:
        return passage.score + _COVERAGE_COUNTS * shared
    # Found by its words only, or by an installation without vectors.
    return needed + shared - _NEEDED_WORDS if needed else shared


def _places(known: Sequence[Found]) -> tuple[str, ...]:
    """The headings of passages about as good as the best, where they are of different parts."""
    close = [one.passage for one in known if known[0].weight - one.weight < _CLOSE]
    names = dict.fromkeys(place for one in close if (place := heading(one)))
    return tuple(names)[:_MOST_OPTIONS] if len(close) > 1 else ()


def heading(passage: Passage) -> str:
    """The last heading above it, empty where there is none."""
    return passage.place.split(",", 1)[0].rsplit(" > ", 1)[-1].strip()
