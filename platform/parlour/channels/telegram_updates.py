"""A Telegram update as the event that intake takes in, read from the wire's JSON: nothing newer than us may stop it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from parlour.store.ids import AccountId
from parlour.turns.ports import Address, Incoming, IncomingAttachment, IncomingKind, Sender

Json = dict[str, Any]

ALLOWED_UPDATES: Final = ("message", "edited_message", "callback_query", "stopped_message_generation")
# Before the number of a button under an answer.
SAYS: Final = "says:"
FEEDBACK: Final = {"feedback:up": "up", "feedback:down": "down"}

_COMMAND: Final = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{3,32}))?(?![/<>\w@])(.*)", re.DOTALL)
# What every Telegram client sends when a chat is opened for the first time.
_START: Final = "start"
_FILES: Final = {
    "document": ("file", "application/octet-stream"),
    "voice": ("voice.ogg", "audio/ogg"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video.mp4", "video/mp4"),
    "animation": ("animation.mp4", "video/mp4"),
    "sticker": ("sticker.webp", "image/webp"),
}


class UnreadableUpdate(Exception):
    """An update is not shaped as the Bot API says. The message names the kind of problem, never content."""


@dataclass(frozen=True, slots=True)
class Me:
    """The bot itself: how it is spoken to."""

    account_id: AccountId
    user_id: int
    username: str
    commands: frozenset[str]


def kind_of(update: object) -> str:
    """The update's kind, for logs."""
    return (
        next((name for name in update if name != "update_id"), "empty") if isinstance(update, dict) else "not_an_object"
    )


def read_update(update: Json, me: Me, *, now: datetime) -> Incoming | None:
    """The event in `update`, None when there is nothing in it for the assistant. Raises `UnreadableUpdate`."""
    try:
        return _read(update, me, now)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        # `from None`: the original may quote what a person wrote.
        raise UnreadableUpdate(type(error).__name__) from None


def _read(update: Json, me: Me, now: datetime) -> Incoming | None:
    event_id = str(int(update["update_id"]))
    if "message" in update:
        return _read_message(update["message"], me, event_id)
    if "edited_message" in update:
        return _read_edit(update["edited_message"], me, event_id)
    if "callback_query" in update:
        return _read_press(update["callback_query"], me, event_id, now)
    if "stopped_message_generation" in update:
        return _read_stop(update["stopped_message_generation"], me, event_id, now)
    return None


# ---- messages ---------------------------------------------------------------------------------------------------


def _read_message(message: Json, me: Me, event_id: str) -> Incoming | None:
    content = _Content.of(message, me)
    if content is None:
        return None
    if content.command is not None:
        return _incoming(message, me, event_id, IncomingKind.COMMAND, content.command)
    return _incoming(
        message, me, event_id, IncomingKind.MESSAGE, content.text,
        is_addressed=content.is_addressed, attachments=_attachments(message),
    )  # fmt: skip


def _read_edit(message: Json, me: Me, event_id: str) -> Incoming | None:
    content = _Content.of(message, me)
    # A command is obeyed once; changing its text afterwards undoes nothing.
    if content is None or content.command is not None:
        return None
    at = _time(message.get("edit_date") or message["date"])
    return _incoming(message, me, event_id, IncomingKind.EDIT, content.text, is_addressed=content.is_addressed, at=at)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a person's message says, as far as it concerns the bot."""

    text: str
    is_addressed: bool
    command: str | None = None

    @classmethod
    def of(cls, message: Json, me: Me) -> "_Content | None":
        """None for messages of bots and channels, service messages, and commands to others."""
        if not _is_from_a_person(message):
            return None
        raw = message.get("text") or message.get("caption") or _in_words(message)
        if not raw and not _attachments(message):
            return None
        text, is_mentioned = _without_mention(str(raw), me)
        is_private = message["chat"]["type"] == "private"
        is_addressed = is_private or is_mentioned or _is_reply_to(message, me) or _mentions(message, str(raw), me)
        return cls._with_command(text, me, is_private=is_private, is_addressed=is_addressed)

    @classmethod
    def _with_command(cls, text: str, me: Me, *, is_private: bool, is_addressed: bool) -> "_Content | None":
        found = _COMMAND.fullmatch(text)
        if found is None:
            return cls(text, is_addressed)
        name, target, argument = found[1].lower(), (found[2] or "").lower(), found[3].strip()
        if target and target != me.username.lower():
            return None
        # In a group a bare command is for every bot there: it is ours when we know it.
        if not (is_private or is_addressed or target or name in me.commands):
            return None
        if name == _START:
            name, argument = "help", ""
        return cls(text, is_addressed=True, command=f"{name} {argument}".strip())


def _incoming(
    message: Json,
    me: Me,
    event_id: str,
    kind: IncomingKind,
    text: str,
    *,
    is_addressed: bool = True,
    attachments: tuple[IncomingAttachment, ...] = (),
    at: datetime | None = None,
) -> Incoming:
    return Incoming(
        account_id=me.account_id,
        event_id=event_id,
        kind=kind,
        address=_address(message),
        sender=_sender(message["from"]),
        text=text,
        message_key=str(int(message["message_id"])),
        sent_at=at or _time(message["date"]),
        is_addressed=is_addressed,
        reply_to=_replied_to(message),
        attachments=attachments,
    )


def _replied_to(message: Json) -> str | None:
    answered: Json = message.get("reply_to_message") or {}
    return str(int(answered["message_id"])) if answered.get("message_id") else None


def _is_from_a_person(message: Json) -> bool:
    sender: Json = message.get("from") or {"is_bot": True}
    is_forwarded_post = bool(message.get("is_automatic_forward"))
    return not sender.get("is_bot") and not is_forwarded_post and message["chat"]["type"] != "channel"


def _address(message: Json) -> Address:
    chat = message["chat"]
    # In supergroups replies carry a thread id too: only topics are conversations of their own.
    thread = message.get("message_thread_id") if message.get("is_topic_message") else None
    return Address(
        chat=str(int(chat["id"])),
        thread=None if thread is None else str(int(thread)),
        is_private=chat["type"] == "private",
    )


def _sender(user: Json) -> Sender:
    name = " ".join(part for part in (user.get("first_name"), user.get("last_name")) if part)
    return Sender(str(int(user["id"])), name or str(user.get("username") or ""), user.get("language_code"))


def _time(seconds: Any) -> datetime:  # noqa: ANN401 (from the wire; the constructor checks)
    return datetime.fromtimestamp(int(seconds), UTC)


# ---- whom it is for ---------------------------------------------------------------------------------------------


def _without_mention(text: str, me: Me) -> tuple[str, bool]:
    """`text` without the bot's name in front, and whether it stood there."""
    found = re.match(rf"\s*@{re.escape(me.username)}(?!\w)[\s,:，：]*", text, re.IGNORECASE)
    return (text[found.end() :], True) if found else (text, False)


def _is_reply_to(message: Json, me: Me) -> bool:
    answered: Json = message.get("reply_to_message") or {}
    author: Json = answered.get("from") or {}
    return bool(author.get("id") == me.user_id)


def _mentions(message: Json, text: str, me: Me) -> bool:
    """Whether the bot is mentioned anywhere: by name, or by a link to it."""
    for entity in (*(message.get("entities") or ()), *(message.get("caption_entities") or ())):
        if entity.get("type") == "text_mention" and (entity.get("user") or {}).get("id") == me.user_id:
            return True
        if entity.get("type") == "mention" and _slice(text, entity).lower() == f"@{me.username.lower()}":
            return True
    return False


def _slice(text: str, entity: Json) -> str:
    """The entity's text; its offsets count UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    start = 2 * int(entity["offset"])
    return units[start : start + 2 * int(entity["length"])].decode("utf-16-le", "replace")


# ---- what it carries --------------------------------------------------------------------------------------------


def _attachments(message: Json) -> tuple[IncomingAttachment, ...]:
    if message.get("photo"):
        largest = max(message["photo"], key=lambda size: int(size.get("file_size") or size.get("width") or 0))
        return (_attachment(largest, "photo.jpg", "image/jpeg"),)
    # An animation comes as a document too: the first that is there counts.
    for kind in ("animation", *_FILES):
        if message.get(kind):
            return (_attachment(message[kind], *_FILES[kind]),)
    return ()


def _attachment(media: Json, name: str, media_type: str) -> IncomingAttachment:
    size = media.get("file_size")
    return IncomingAttachment(
        name=str(media.get("file_name") or name),
        media_type=str(media.get("mime_type") or media_type),
        reference=str(media["file_id"]),
        size=None if size is None else int(size),
    )


def _in_words(message: Json) -> str:
    """What is neither text nor file, told in text: places, contacts, polls, dice, a sticker's emoji."""
    if place := message.get("location"):
        title = (message.get("venue") or {}).get("title")
        return f"📍 {f'{title}, ' if title else ''}{place['latitude']}, {place['longitude']}"
    if contact := message.get("contact"):
        return f"👤 {contact.get('first_name', '')} {contact.get('phone_number', '')}".strip()
    if poll := message.get("poll"):
        return "\n".join([f"📊 {poll['question']}", *(f"- {option['text']}" for option in poll["options"])])
    if dice := message.get("dice"):
        return f"{dice['emoji']} {dice['value']}"
    return str((message.get("sticker") or {}).get("emoji") or "")


# ---- buttons ----------------------------------------------------------------------------------------------------


def _read_press(query: Json, me: Me, event_id: str, now: datetime) -> Incoming | None:
    """A thumb under an answer, or a button of the answer itself, by its number."""
    pressed = str(query.get("data"))
    rating, button = FEEDBACK.get(pressed), pressed.removeprefix(SAYS)
    is_button = pressed.startswith(SAYS) and button.isascii() and button.isdecimal()
    message = query.get("message")
    if not (rating or is_button) or not message:
        return None
    return Incoming(
        account_id=me.account_id, event_id=event_id, kind=IncomingKind.FEEDBACK if rating else IncomingKind.PRESS,
        address=_address(message), sender=_sender(query["from"]), text=rating or button,
        message_key=str(int(message["message_id"])), sent_at=now,
    )  # fmt: skip


def _read_stop(stopped: Json, me: Me, event_id: str, now: datetime) -> Incoming:
    """The stop button of a draft, whose number is its turn's. Drafts are in private chats only: chat is person."""
    chat = stopped["chat"]
    thread = stopped.get("message_thread_id")
    return Incoming(
        account_id=me.account_id, event_id=event_id, kind=IncomingKind.STOP,
        address=Address(chat=str(int(chat["id"])), thread=None if thread is None else str(int(thread))),
        sender=_sender(chat), text=str(int(stopped["draft_id"])), message_key=None, sent_at=now,
    )  # fmt: skip
