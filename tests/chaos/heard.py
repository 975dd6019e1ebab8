"""What each fake messenger's journal tells: who asked what, and which words of the bot stand where."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.slack_world import shown, stamp

Entry = Mapping[str, Any]
Chat = tuple[str, Hashable]
# In a group the bot is asked by its name, which is no part of the question.
MENTION: Final = "@parlour_bot "


@dataclass(slots=True)
class Heard:
    """Everything by chat. Places in a chat are ordered as people see them; an edit keeps its place."""

    asked: dict[Chat, list[str]] = field(default_factory=lambda: defaultdict(list))
    standing: dict[Chat, dict[Any, str]] = field(default_factory=lambda: defaultdict(dict))
    mixed: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of texts, the earlier first, that the messenger itself did not tell of in their order."""


def on_telegram(journal: Iterable[Entry]) -> Heard:
    """Out of the journal of the fake Telegram. Its updates are numbered: there is an order whatever they come in."""
    heard = Heard()
    for entry in journal:
        chat = ("telegram", entry.get("chat"))
        match entry["what"]:
            case "user_wrote" if entry["text"]:
                heard.asked[chat].append(entry["text"].removeprefix(MENTION))
            case "bot_sent" | "bot_edited":
                heard.standing[chat][entry["message_id"]] = entry["text"] or ""
            case "bot_deleted":
                heard.standing[chat].pop(entry["message_id"], None)
    return heard


def on_slack(journal: Iterable[Entry]) -> Heard:
    """Out of the journal of the fake Slack, whose events have no order of their own: what was taken first is first."""
    heard = Heard()
    # By time stamp: the text, when its event was taken first, and when it was sent first.
    texts: dict[str, str] = {}
    taken: dict[str, int] = {}
    sent: dict[str, int] = {}
    for entry in journal:
        chat = ("slack", entry.get("channel"))
        match entry["what"]:
            case "said":
                heard.asked[chat].append(entry["text"])
                texts[entry["ts"]] = entry["text"]
            case "event_sent":
                sent.setdefault(entry["ts"], entry["n"])
            case "event_taken":
                taken.setdefault(entry["ts"], entry["n"])
            case "posted" | "stream_started" | "stream_stopped" | "updated":
                heard.standing[chat][stamp(entry["ts"])] = shown(dict(entry))
            case "appended":
                heard.standing[chat][stamp(entry["ts"])] += entry["piece"]
            case "deleted":
                heard.standing[chat].pop(stamp(entry["ts"]), None)
    told = {text: (taken.get(ts), sent.get(ts)) for ts, text in texts.items()}
    for asked in heard.asked.values():
        for at, late in enumerate(asked):
            heard.mixed |= {(early, late) for early in asked[:at] if not _is_before(told[early], told[late])}
    return heard


def _is_before(early: tuple[int | None, int | None], late: tuple[int | None, int | None]) -> bool:
    """Whether the earlier one was taken before the later one was sent at all."""
    was_taken, was_sent = early[0], late[1]
    return was_taken is not None and was_sent is not None and was_taken < was_sent
