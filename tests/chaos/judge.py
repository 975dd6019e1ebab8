"""What became of every message, judged by the messenger's journal alone: nothing here asks Parlour.

The engine repeats what it is asked, and every text in a run is different, so that an answer tells which message it
belongs to.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Entry = Mapping[str, Any]


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


def judge(journal: Iterable[Entry]) -> Verdict:
    """The verdict on a whole journal of the fake Telegram."""
    asked: dict[int, list[str]] = defaultdict(list)
    standing: dict[int, dict[int, str]] = defaultdict(dict)
    for entry in journal:
        match entry["what"]:
            case "user_wrote" if entry["text"]:
                asked[entry["chat"]].append(entry["text"])
            case "bot_sent" | "bot_edited":
                standing[entry["chat"]][entry["message_id"]] = entry["text"] or ""
            case "bot_deleted":
                standing[entry["chat"]].pop(entry["message_id"], None)
    return _compare(asked, standing)


def _compare(asked: Mapping[int, list[str]], standing: Mapping[int, Mapping[int, str]]) -> Verdict:
    home = {text: chat for chat, texts in asked.items() for text in texts}
    lost, doubled, misordered, misdirected, left_over = [], [], [], [], []
    for chat, texts in asked.items():
        # Ids grow within a chat, and an edit keeps its message's.
        said = sorted(standing.get(chat, {}).items())
        places = {text: [message_id for message_id, answer in said if answer == text] for text in texts}
        lost += [text for text in texts if not places[text]]
        doubled += [text for text in texts if len(places[text]) > 1]
        answered = [text for text in texts if places[text]]
        misordered += [late for early, late in pairwise(answered) if places[late][0] < places[early][0]]
    for chat, messages in standing.items():
        for text in messages.values():
            if text not in home:
                left_over.append(text)
            elif home[text] != chat:
                misdirected.append(text)
    return Verdict(len(home), *map(tuple, (lost, doubled, misordered, misdirected, left_over)))
