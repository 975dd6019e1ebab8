"""What became of every message, judged by the messengers' journals alone: nothing here asks Parlour.

The engine repeats what it is asked, and every text in a run is different, so that an answer tells which message it
belongs to.
"""

from dataclasses import dataclass, field
from itertools import combinations

from tests.chaos.heard import Chat, Heard


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

    @property
    def is_clean(self) -> bool:
        """Whether every message was answered once, in order, in its own chat, and nothing else was said."""
        return not (self.lost or self.doubled or self.misordered or self.misdirected or self.left_over)

    def __str__(self) -> str:
        """Counts, with one example of each."""
        found = {name: getattr(self, name) for name in ("lost", "doubled", "misordered", "misdirected", "left_over")}
        told = [f"{name} {len(texts)} (such as {texts[0]!r})" for name, texts in found.items() if texts]
        return f"{self.accepted} accepted: {', '.join(told) or 'each answered once and in order'}"


@dataclass(slots=True)
class Special:
    """What is judged otherwise, because it was done to somebody on purpose. Grows while people talk."""

    forgotten: set[str] = field(default_factory=set)
    """Texts of people who were erased meanwhile: these may have no answer any more. Nobody else may have it either."""
    trouble: set[Chat] = field(default_factory=set)
    """Chats with a skill that is broken: whatever it says, each message gets some word, and no more than one."""


def judge(*messengers: Heard, special: Special | None = None) -> Verdict:
    """The verdict on all that was heard."""
    special = special or Special()
    asked = {chat: texts for heard in messengers for chat, texts in heard.asked.items()}
    standing = {chat: there for heard in messengers for chat, there in heard.standing.items()}
    mixed = {pair for heard in messengers for pair in heard.mixed}
    home = {text: chat for chat, texts in asked.items() for text in texts}
    lost, doubled, misordered, misdirected, left_over = [], [], [], [], []
    for chat, texts in asked.items():
        there = standing.get(chat, {})
        if chat in special.trouble:
            lost += [text for text in texts[len(there) :] if text not in special.forgotten]
            doubled += list(there.values())[len(texts) :]
            continue
        # Places grow within a chat, and an edit keeps its message's.
        said = sorted(there.items())
        places = {text: [place for place, answer in said if answer == text] for text in texts}
        lost += [text for text in texts if not places[text] and text not in special.forgotten]
        doubled += [text for text in texts if len(places[text]) > 1]
        answered = [text for text in texts if places[text]]
        misordered += [
            late
            for early, late in combinations(answered, 2)
            if places[late][0] < places[early][0] and (early, late) not in mixed
        ]
    for chat, messages in standing.items():
        for text in messages.values() if chat not in special.trouble else ():
            if text not in home:
                left_over.append(text)
            elif home[text] != chat:
                misdirected.append(text)
    return Verdict(len(home), *map(tuple, (lost, doubled, dict.fromkeys(misordered), misdirected, left_over)))
