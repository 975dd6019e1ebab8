"""Slack's events read as what turns understand. Pure: no request is made here, all that has to be known comes in."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from parlour.channels.slack_content import FEEDBACK_ACTION, SAYS_ACTION
from parlour.channels.slack_text import mentions, read
from parlour.store.ids import AccountId
from parlour.turns.ports import Address, Incoming, IncomingAttachment, IncomingKind, Sender

Event = Mapping[str, Any]

# Subtypes that a person's own words come in; all others are Slack's notices, or somebody's bot.
_SPOKEN: Final = frozenset({None, "", "file_share", "thread_broadcast", "me_message"})
_SLACKBOT: Final = "USLACKBOT"
_TS: Final = re.compile(r"\d{1,10}\.\d{1,6}\Z")


@dataclass(frozen=True, slots=True)
class Installation:
    """The assistant in one Slack workspace."""

    account_id: AccountId
    team_id: str
    bot_user_id: str


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack tells about who wrote: a name to show, and the language their Slack is set to."""

    name: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message that a person wrote or edited, as far as the event alone tells."""

    channel: str
    ts: str
    user: str
    markup: str
    thread_ts: str | None
    is_direct: bool
    edited_ts: str | None
    parent_user_id: str | None
    files: tuple[Event, ...]
    recipient_team: str

    @property
    def thread(self) -> str | None:
        """The conversation's thread: in channels always one, begun by this message if it stands in none."""
        return self.thread_ts or (None if self.is_direct else self.ts)


def team_of(body: Event) -> str:
    """The workspace that an event is for; in channels shared between workspaces `team_id` may name the other one."""
    authorizations = body.get("authorizations") or []
    if authorizations and authorizations[0].get("team_id"):
        return str(authorizations[0]["team_id"])
    team = body.get("team")
    return str(body.get("team_id") or (team.get("id") if isinstance(team, Mapping) else "") or "")


def spoken(event: Event, at: Installation) -> Spoken | None:
    """The message in a `message` or `app_mention` event, None when it is nobody's words: a bot's, ours, a notice."""
    changed = event.get("subtype") == "message_changed"
    message: Event = (event.get("message") or {}) if changed else event
    user = str(message.get("user") or "")
    is_spoken = message.get("subtype") in _SPOKEN and not message.get("bot_id") and not message.get("hidden")
    if not is_spoken or not user or user in {at.bot_user_id, _SLACKBOT} or not _TS.match(str(message.get("ts"))):
        return None
    if changed and not _is_rewritten(event, message):
        return None
    channel = str(event.get("channel") or "")
    return Spoken(
        channel=channel,
        ts=str(message["ts"]),
        user=user,
        markup=str(message.get("text") or ""),
        thread_ts=str(message["thread_ts"]) if message.get("thread_ts") else None,
        is_direct=event.get("channel_type") == "im" or channel.startswith("D"),
        edited_ts=str((message.get("edited") or {}).get("ts") or event.get("event_ts") or "") if changed else None,
        parent_user_id=message.get("parent_user_id"),
        files=tuple(file for file in message.get("files") or () if isinstance(file, Mapping)),
        recipient_team=str(message.get("user_team") or message.get("team") or at.team_id),
    )


def _is_rewritten(event: Event, message: Event) -> bool:
    """Whether a `message_changed` is an edit by its writer: Slack sends one for unfurled links and replies too."""
    before: Event = event.get("previous_message") or {}
    return before.get("text") != message.get("text") and "edited" in message


def to_incoming(
    said: Spoken, at: Installation, person: Person, *, is_addressed: bool, commands: Collection[str]
) -> Incoming:
    """A message as an event for intake.

    The event id is made of channel and time stamp, not taken from Slack's `event_id`: a mention in a channel arrives
    twice, as `message` and as `app_mention`, with different event ids, and is still one message. Redeliveries share
    both. An edit adds the time of the edit.
    """
    text = read(said.markup, bot_user_id=at.bot_user_id)
    command = None if said.edited_ts is not None else bang_command(text, commands)
    kind = IncomingKind.EDIT if said.edited_ts is not None else IncomingKind.MESSAGE
    return Incoming(
        account_id=at.account_id,
        event_id=_event_id("message", said.channel, said.ts, said.edited_ts),
        kind=IncomingKind.COMMAND if command else kind,
        address=address(said.channel, said.thread, said.recipient_team, said.user, person, is_direct=said.is_direct),
        sender=Sender(said.user, person.name, person.language),
        text=command or text,
        message_key=said.ts,
        sent_at=to_time(said.edited_ts or said.ts),
        is_addressed=is_addressed or said.is_direct,
        attachments=tuple(attachment(file) for file in said.files if _is_fetchable(file)),
    )


def is_mention(said: Spoken, at: Installation) -> bool:
    """Whether the message itself says that it is for the assistant: by naming it, or by answering a post of its own."""
    return said.is_direct or mentions(said.markup, at.bot_user_id) or said.parent_user_id == at.bot_user_id


def bang_command(text: str, commands: Collection[str]) -> str | None:
    """`help rest` for `!help rest` when `help` is a command, else None: `!wow` is just something people say."""
    found = re.match(r"!([A-Za-z]+)(?:\s+(.*))?\Z", text.strip(), re.DOTALL)
    if not found or found[1].lower() not in commands:
        return None
    return f"{found[1].lower()} {(found[2] or '').strip()}".strip()


def slash_command(body: Event, at: Installation, person: Person, *, direct_channel: str, now: datetime) -> Incoming:
    """A slash command as an event for intake, in the person's direct conversation with the assistant.

    Slack allows slash commands in no thread, so they never name one of a channel's conversations; and what they answer
    (settings, privacy) is for the person who asked. Slack never sends a command again: its `trigger_id` names it.
    """
    name = str(body.get("command") or "").removeprefix("/").lower()
    user = str(body.get("user_id") or "")
    return Incoming(
        account_id=at.account_id,
        event_id=_event_id("command", user, str(body.get("trigger_id") or "")),
        kind=IncomingKind.COMMAND,
        address=address(direct_channel, None, at.team_id, user, person, is_direct=True),
        sender=Sender(user, person.name or str(body.get("user_name") or user), person.language),
        text=f"{name} {read(str(body.get('text') or ''), bot_user_id=at.bot_user_id)}".strip(),
        message_key=None,
        sent_at=now,
    )


def pressed(body: Event, at: Installation, person: Person) -> Incoming | None:
    """A pressed button, a thumb or one of the answer's own, as an event for intake; None for any other action."""
    action = next((action for action in body.get("actions") or () if _is_ours(action)), None)
    if action is None:
        return None
    is_thumb = action.get("action_id") == FEEDBACK_ACTION
    message: Event = body.get("message") or {}
    container: Event = body.get("container") or {}
    channel = str((body.get("channel") or {}).get("id") or container.get("channel_id") or "")
    key = str(message.get("ts") or container.get("message_ts") or "")
    user = str((body.get("user") or {}).get("id") or "")
    moment = str(action.get("action_ts") or key)
    if not (channel and user and _TS.match(key) and _TS.match(moment)):
        return None
    thread = message.get("thread_ts") or container.get("thread_ts")
    return Incoming(
        account_id=at.account_id,
        event_id=_event_id("feedback" if is_thumb else "press", channel, key, user, moment),
        kind=IncomingKind.FEEDBACK if is_thumb else IncomingKind.PRESS,
        address=address(
            channel, str(thread) if thread else None, at.team_id, user, person, is_direct=channel.startswith("D")
        ),
        sender=Sender(user, person.name, person.language),
        text=str(action["value"]),
        message_key=key,
        sent_at=to_time(moment),
    )


def _is_ours(action: Event) -> bool:
    value = str(action.get("value"))
    if action.get("action_id") == FEEDBACK_ACTION:
        return value in {"up", "down"}
    return str(action.get("action_id")).startswith(SAYS_ACTION) and value.isascii() and value.isdecimal()


def address(channel: str, thread: str | None, team: str, user: str, person: Person, *, is_direct: bool) -> Address:
    """Where a conversation is, with what a native stream there needs besides."""
    extra = {"team": team, "user": user}
    if person.language:
        extra["language"] = person.language
    return Address(chat=channel, thread=thread, is_private=is_direct, extra=extra)


def attachment(file: Event) -> IncomingAttachment:
    """A file as announced. Its id is the reference: addresses of files change, and tell more than they need."""
    size = file.get("size")
    return IncomingAttachment(
        name=str(file.get("name") or file.get("title") or "file"),
        media_type=str(file.get("mimetype") or "application/octet-stream"),
        reference=str(file["id"]),
        size=size if isinstance(size, int) else None,
    )


def _is_fetchable(file: Event) -> bool:
    """Whether the file is there and lies with Slack."""
    is_gone = file.get("mode") in {"tombstone", "hidden_by_limit"}
    return bool(file.get("id")) and not is_gone and not file.get("is_external")


def to_time(ts: str) -> datetime:
    """The moment that a Slack time stamp names."""
    return datetime.fromtimestamp(float(ts), UTC)


def _event_id(kind: str, *parts: str | None) -> str:
    """A name for the event that every redelivery shares, within the column's 128 characters."""
    return ":".join([kind, *(part for part in parts if part)])[:128]
