"""What became of every message, judged by the messengers' journals alone: nothing here asks Parlour.

The engine repeats what it is asked, and every text in a run is different, so that an answer tells which message it
belongs to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from parlour.turns.wording import say
from tests.chaos.heard import Chat, Heard

# Of Telegram's 4,096 characters, what a text that is parted between words fills at least.
_FULL = 4_000
_NOTICES = frozenset(say("draft_lost", language) for language in ("en", "zh"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Texts by what is wrong with them; all empty for a good run."""

    accepted: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    misordered: tuple[str, ...]
    misdirected: tuple[str, ...]
    left_over: tuple[str, ...]
    """What the bot left standing that answers nothing: a draft as a last word, a failure told instead of an answer."""
    unsettled: tuple[str, ...] = ()
    """Texts that may have no answer, since their chat was told that one may not have arrived: Telegram was too busy to
    find out (docs/guarantees.md, "Unknown outcomes"). Not wrong, but counted.
    """

    @property
    def is_clean(self) -> bool:
        """Whether every message was answered once, in order, in its own chat, and nothing else was said."""
        return not (self.lost or self.doubled or self.misordered or self.misdirected or self.left_over)

    def __str__(self) -> str:
        """Counts, with one example of each."""
        kinds = ("lost", "doubled", "misordered", "misdirected", "left_over", "unsettled")
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


def judge(*messengers: Heard, special: Special | None = None) -> Verdict:
    """The verdict on all that was heard."""
    special = special or Special()
    asked = {chat: texts for heard in messengers for chat, texts in heard.asked.items()}
    standing = {chat: there for heard in messengers for chat, there in heard.standing.items()}
    mixed = {pair for heard in messengers for pair in heard.mixed}
    home = {text: chat for chat, texts in asked.items() for text in texts}
    lost, doubled, misordered, misdirected, left_over, unsettled = [], [], [], [], [], []
    for chat, texts in asked.items():
        there = standing.get(chat, {})
        if chat in special.trouble:
            words = _beginnings(text for _, text in sorted(there.items()))
            lost += [text for text in texts[len(words) :] if text not in special.forgotten]
            doubled += words[len(texts) :]
            continue
        # Places grow within a chat, and an edit keeps its message's.
        said = sorted(there.items())
        places = {text: [place for place, answer in said if answer == text] for text in texts}
        unanswered = [text for text in texts if not places[text] and text not in special.forgotten]
        notices = sum(answer in _NOTICES for answer in there.values())
        lost += unanswered[notices:]
        unsettled += [*unanswered, *[""] * notices][:notices]
        doubled += [text for text in texts if len(places[text]) > 1]
        answered = [text for text in texts if places[text]]
        misordered += [
            late
            for early, late in combinations(answered, 2)
            if places[late][0] < places[early][0] and (early, late) not in mixed
        ]
    for chat, messages in standing.items():
        for text in messages.values() if chat not in special.trouble else ():
            if text in _NOTICES:
                continue
            if text not in home and not _is_begun(text, special.forgotten):
                left_over.append(text)
            elif home.get(text, chat) != chat:
                misdirected.append(text)
    kinds = (lost, doubled, dict.fromkeys(misordered), misdirected, left_over, unsettled)
    return Verdict(len(home), *map(tuple, kinds))


def _is_begun(draft: str, forgotten: Iterable[str]) -> bool:
    """Whether it is a draft of an answer to somebody who was erased while it was out: nobody can take it back then."""
    return bool(draft) and any(text.startswith(draft) for text in forgotten)


def _beginnings(messages: Iterable[str]) -> list[str]:
    """The first message of each answer: one that is about as long as a messenger allows is told on in the next."""
    found: list[str] = []
    is_over = True
    for text in messages:
        if is_over:
            found.append(text)
        is_over = len(text) < _FULL
    return found
