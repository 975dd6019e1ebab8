"""What became of every message, judged by the messengers' journals alone: nothing here asks Parlour.

The engine repeats what it is asked, and every text in a run is different, so that an answer tells which message it
belongs to.
"""

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, fields
from itertools import combinations, groupby
from typing import Self

from parlour.turns.states import Mode
from parlour.turns.wording import say
from tests.chaos.heard import Chat, Heard

# Texts by the name of their field in the verdict.
Wrong = defaultdict[str, list[str]]

# Of Telegram's 4,096 characters, what a text that is parted between words fills at least.
_FULL = 4_000
_LANGUAGES = ("en", "zh")
_NOTICES = frozenset(say("draft_lost", language) for language in _LANGUAGES)
_MERGED = frozenset(say("merged", language) for language in _LANGUAGES)
_STOPPED = frozenset(say("stopped", language) for language in _LANGUAGES)
# How a notice begins that a turn has failed, before the turn's own reference.
_FAILURES = tuple(
    say(key, language, reference="\0").partition("\0")[0]
    for key in ("failed", "engine_away", "too_long_for_model")
    for language in _LANGUAGES
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Texts by what is wrong with them; all empty for a good run."""

    accepted: int
    lost: tuple[str, ...]
    """Never answered: a later one of their chat was, or their chat was told of a failure."""
    doubled: tuple[str, ...]
    misordered: tuple[str, ...]
    misdirected: tuple[str, ...]
    left_over: tuple[str, ...]
    """What the bot left standing that answers nothing: a draft as a last word, a failure told instead of an answer."""
    unsettled: tuple[str, ...] = ()
    """Texts that may have no answer, since their chat was told that one may not have arrived: Telegram was too busy to
    find out (docs/guarantees.md, "Unknown outcomes"). Not wrong, but counted.
    """
    stuck: tuple[str, ...] = ()
    """Neither answered nor failed, and nothing after them in their chat was answered either: it stands still."""

    @property
    def is_clean(self) -> bool:
        """Whether every message was answered once, in order, in its own chat, and nothing else was said."""
        return self.is_answered and not (self.doubled or self.misordered or self.misdirected or self.left_over)

    @property
    def is_answered(self) -> bool:
        """Whether no message waits for its answer."""
        return not (self.lost or self.stuck)

    def __str__(self) -> str:
        """Counts, with one example of each."""
        kinds = ("lost", "stuck", "doubled", "misordered", "misdirected", "left_over", "unsettled")
        found = {name: getattr(self, name) for name in kinds}
        told = [f"{name} {len(texts)} (such as {texts[0]!r})" for name, texts in found.items() if texts]
        return f"{self.accepted} accepted: {', '.join(told) or 'each answered once and in order'}"


@dataclass(slots=True)
class Special:
    """What is judged otherwise, because it was done to somebody on purpose. Grows while people talk."""

    forgotten: set[str] = field(default_factory=set)
    """Texts of people who were erased meanwhile: they may have no answer, or the beginning of one. Nobody else may."""
    trouble: set[Chat] = field(default_factory=set)
    """Chats with a skill that is broken: whatever it says, each message gets some word, and no more than one answer."""
    mode: Mode = Mode.QUEUE
    """Of the installation. Where a message interrupts, the answer before it may end anywhere, or not begin at all."""


def judge(*messengers: Heard, special: Special | None = None) -> Verdict:
    """The verdict on all that was heard."""
    special = special or Special()
    asked = {chat: texts for heard in messengers for chat, texts in heard.asked.items()}
    standing = {chat: there for heard in messengers for chat, there in heard.standing.items()}
    mixed = {pair for heard in messengers for pair in heard.mixed}
    home = {text: chat for chat, texts in asked.items() for text in texts}
    wrong: Wrong = defaultdict(list)
    for chat in {**asked, **standing}:
        texts = asked.get(chat, [])
        # Places grow within a chat, and an edit keeps its message's.
        answers = _answers(text for _, text in sorted(standing.get(chat, {}).items()))
        if chat in special.trouble:
            wrong["lost"] += [text for text in texts[len(answers) :] if text not in special.forgotten]
            wrong["doubled"] += answers[len(texts) :]
            continue
        talk = _Talk.of(texts, answers)
        _look_for_answers(talk, special, mixed, wrong)
        silent = _NOTICES if special.mode is Mode.QUEUE else _NOTICES | _MERGED
        for piece in talk.pieces:
            if piece in home and home[piece] != chat:
                wrong["misdirected"].append(piece)
            elif piece not in home and piece not in silent and not _is_begun(piece, special.forgotten):
                wrong["left_over"].append(piece)
    return Verdict(len(home), **{one.name: tuple(wrong[one.name]) for one in fields(Verdict) if one.name != "accepted"})


@dataclass(slots=True)
class _Talk:
    """What became of the texts of one chat. `pieces`: what the bot says there, text by text, in order."""

    texts: list[str]
    pieces: list[str]
    places: dict[str, list[int]]

    @classmethod
    def of(cls, texts: list[str], answers: Iterable[str]) -> Self:
        """An answer to messages that were merged answers each of them in a paragraph of its own."""
        pieces = [piece for answer in answers for piece in answer.split("\n\n")]
        places = {text: [place for place, piece in enumerate(pieces) if piece == text] for text in texts}
        return cls(texts, pieces, places)

    @property
    def unanswered(self) -> list[str]:
        return [text for text in self.texts if not self.places[text]]


def _look_for_answers(talk: _Talk, special: Special, mixed: Container[tuple[str, str]], wrong: Wrong) -> None:
    unanswered = [text for text in talk.unanswered if text not in special.forgotten]
    if special.mode is Mode.INTERRUPT:
        interrupted = _take_interrupted(talk, mixed)
        unanswered = [text for text in unanswered if text not in interrupted]
    notices = sum(piece in _NOTICES for piece in talk.pieces)
    wrong["unsettled"] += [*unanswered, *[""] * notices][:notices]
    stuck = _stuck(talk, unanswered[notices:])
    wrong["stuck"] += stuck
    wrong["lost"] += [text for text in unanswered[notices:] if text not in stuck]
    wrong["doubled"] += [text for text in talk.texts if len(talk.places[text]) > 1]
    answered = [text for text in talk.texts if talk.places[text]]
    misordered = [
        late
        for early, late in combinations(answered, 2)
        if talk.places[late][0] < talk.places[early][0] and (early, late) not in mixed
    ]
    wrong["misordered"] += dict.fromkeys(misordered)


def _stuck(talk: _Talk, unanswered: list[str]) -> list[str]:
    """Those of them behind which nothing in the chat was answered, less as many as it was told of failures."""
    behind = talk.texts[max((at + 1 for at, text in enumerate(talk.texts) if talk.places[text]), default=0) :]
    failures = sum(piece.startswith(_FAILURES) for piece in talk.pieces)
    return [text for text in unanswered if text in behind][failures:]


def _take_interrupted(talk: _Talk, mixed: Container[tuple[str, str]]) -> set[str]:
    """Texts that a later one interrupted; the answers that were stopped for them are pieces no more.

    Texts between two answered ones are told of by one stopped answer at least, which may not have come to all of them:
    they may have been merged. Each was stopped once at most.
    """
    unanswered = talk.unanswered
    ends = [
        piece
        for piece in talk.pieces
        if piece in _STOPPED or (piece and any(text.startswith(piece) for text in unanswered))
    ][: len(unanswered)]
    for piece in ends:
        talk.pieces.remove(piece)
    parted = groupby(talk.texts, lambda text: bool(talk.places[text]))
    runs = [list(run) for is_answered, run in parted if not is_answered]
    interrupted = {text for run in runs[: len(ends)] for text in run}
    last = talk.texts[-1:]
    return interrupted - {text for text in last if not any((early, text) in mixed for early in talk.texts)}


def _is_begun(draft: str, forgotten: Iterable[str]) -> bool:
    """Whether it is a draft of an answer to somebody who was erased while it was out: nobody can take it back then."""
    return bool(draft) and any(text.startswith(draft) for text in forgotten)


def _answers(messages: Iterable[str]) -> list[str]:
    """Each answer whole: a message that is about as long as a messenger allows is told on in the next."""
    found: list[str] = []
    is_over = True
    for text in messages:
        found = [*found, text] if is_over else [*found[:-1], f"{found[-1]} {text}"]
        is_over = len(text) < _FULL
    return found
