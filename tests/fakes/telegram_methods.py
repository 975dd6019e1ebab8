"""The Bot API's methods over a fake world: parameters in, result out, Telegram's own words for what it refuses."""

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import telegram_text as tt
from tests.fakes.telegram_world import DRAFT_LIFE_S, ApiError, Chat, Draft, Json, World, bad_request

_ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}
MAX_DOWNLOAD = 20_000_000
_MEDIA = {"photo", "document"}
_PICTURE_STARTS = (b"\x89PNG", b"\xff\xd8", b"RIFF")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a request."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Params:
    """A request's parameters, however they were encoded."""

    values: Json
    uploads: dict[str, Upload] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """The value as it came, None where it is missing."""
        return self.values.get(name)

    def parsed(self, name: str) -> Any:
        """A value that is JSON inside a form field."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def number(self, name: str, default: int | None = None) -> int | None:
        """An integer, `default` where it is missing."""
        value = self.values.get(name)
        if value in {None, ""}:
            return default
        try:
            return int(str(value))
        except ValueError:
            raise bad_request(f"invalid {name} specified") from None

    def flag(self, name: str) -> bool:
        """A boolean, false where it is missing."""
        return str(self.values.get(name)).lower() in {"true", "1"}

    def file(self, name: str) -> Upload | None:
        """An uploaded file, given directly or by `attach://`."""
        value = self.values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            return self.uploads.get(value.removeprefix("attach://"))
        return self.uploads.get(name)


class Limits:
    """Telegram's documented limits: 1 message a second in a chat, 20 a minute in a group, 30 a second overall."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.is_on = False
        self._now = now
        self._sent: dict[int, deque[float]] = defaultdict(deque)
        self._all: deque[float] = deque()

    def check(self, chat: Chat) -> None:
        """Count one message or edit. Raises 429 when it is one too many."""
        if not self.is_on:
            return
        now, mine = self._now(), self._sent[chat.id]
        _forget(mine, now - 60)
        _forget(self._all, now - 1)
        waits = [1.0 - (now - mine[-1])] if mine else []
        if chat.type != "private" and len(mine) >= 20:
            waits.append(60.0 - (now - mine[-20]))
        if len(self._all) >= 30:
            waits.append(1.0 - (now - self._all[-30]))
        if waits and max(waits) > 0:
            raise too_many(max(1, round(max(waits) + 0.5)))
        mine.append(now)
        self._all.append(now)


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] < before:
        times.popleft()


def too_many(retry_after: int) -> ApiError:
    """A 429 in Telegram's words."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


class Methods:
    """Every method but getUpdates and the webhook's, which need the server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.limits = Limits(world.now)
        self.table: dict[str, Callable[[Params], Any]] = {
            "getme": self.get_me,
            "sendmessage": self.send_message,
            "sendmessagedraft": self.send_message_draft,
            "editmessagetext": self.edit_message_text,
            "editmessagecaption": self.edit_message_caption,
            "editmessagemedia": self.edit_message_media,
            "editmessagereplymarkup": self.edit_message_reply_markup,
            "deletemessage": self.delete_message,
            "sendchataction": self.send_chat_action,
            "setmycommands": self.set_my_commands,
            "getmycommands": self.get_my_commands,
            "deletemycommands": self.delete_my_commands,
            "getfile": self.get_file,
            "senddocument": self.send_document,
            "sendphoto": self.send_photo,
            "answercallbackquery": self.answer_callback_query,
            "getchat": self.get_chat,
            "logout": lambda _: True,
            "close": lambda _: True,
        }

    def get_me(self, _: Params) -> Json:
        return {
            **self._world.bot,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    def send_message(self, params: Params) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        text, entities = self._text(params)
        return self._post(chat, params, {"text": text, **({"entities": entities} if entities else {})})

    def send_message_draft(self, params: Params) -> bool:
        chat = self._world.chat(params.get("chat_id"))
        if chat.type != "private":
            raise bad_request("TEXTDRAFT_PEER_INVALID")
        draft_id = params.number("draft_id", 0) or 0
        if draft_id == 0 or abs(draft_id) >= 2**63:
            raise bad_request("DRAFT_ID_INVALID")
        text, entities = self._text(params, may_be_empty=True)
        until = self._world.now() + DRAFT_LIFE_S
        thread = params.number("message_thread_id")
        chat.drafts = {draft_id: Draft(draft_id, text, entities, until, params.flag("can_stop"), thread)}
        self._world.note("draft", chat=chat.id, draft_id=draft_id, text=text, thread=thread)
        return True

    def edit_message_text(self, params: Params) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        message = self._world.own_message(chat, params.number("message_id", 0), missing="message to edit not found")
        text, entities = self._text(params, too_long="MESSAGE_TOO_LONG")
        if "text" not in message:
            raise bad_request("there is no text in the message to edit")
        markup = params.parsed("reply_markup")
        self._same_is_an_error(message, {"text": text, "entities": entities or None, "reply_markup": markup})
        self.limits.check(chat)
        before = message["text"]
        self._replace(message, text=text, entities=entities or None, reply_markup=markup)
        self._world.note("bot_edited", chat=chat.id, message_id=message["message_id"], text=text, before=before)
        return message

    def edit_message_caption(self, params: Params) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        message = self._world.own_message(chat, params.number("message_id", 0), missing="message to edit not found")
        if not _MEDIA & message.keys():
            raise bad_request("there is no caption in the message to edit")
        changes = {**self._caption(params), "reply_markup": params.parsed("reply_markup")}
        self._same_is_an_error(message, changes)
        self.limits.check(chat)
        self._replace(message, **changes)
        self._world.note("bot_edited_caption", chat=chat.id, message_id=message["message_id"])
        return message

    def edit_message_media(self, params: Params) -> Json:
        """The new media; a text may become a picture too."""
        chat = self._world.chat(params.get("chat_id"))
        message = self._world.own_message(chat, params.number("message_id", 0), missing="message to edit not found")
        media: Json = params.parsed("media") or {}
        kind = str(media.get("type"))
        content = self._uploaded(Params({**media, kind: media.get("media")}, params.uploads), kind)
        self.limits.check(chat)
        gone = dict.fromkeys(("text", "entities", "photo", "document", "caption", "caption_entities"))
        self._replace(message, **{**gone, **content, "reply_markup": params.parsed("reply_markup")})
        self._world.note("bot_edited_media", chat=chat.id, message_id=message["message_id"])
        return message

    def edit_message_reply_markup(self, params: Params) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        message = self._world.own_message(chat, params.number("message_id", 0), missing="message to edit not found")
        markup = params.parsed("reply_markup")
        self._same_is_an_error(message, {"reply_markup": markup})
        self.limits.check(chat)
        self._replace(message, reply_markup=markup)
        self._world.note("bot_edited_markup", chat=chat.id, message_id=message["message_id"])
        return message

    def delete_message(self, params: Params) -> bool:
        chat = self._world.chat(params.get("chat_id"))
        message = chat.messages.pop(params.number("message_id", 0) or 0, None)
        if message is None:
            raise bad_request("message to delete not found")
        self._world.note("bot_deleted", chat=chat.id, message_id=message["message_id"], text=message.get("text"))
        return True

    def send_chat_action(self, params: Params) -> bool:
        chat = self._world.chat(params.get("chat_id"))
        if params.get("action") not in _ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._world.note("action", chat=chat.id, action=params.get("action"), thread=params.number("message_thread_id"))
        return True

    def set_my_commands(self, params: Params) -> bool:
        commands = params.parsed("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description") or "")) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self._world.commands[self._command_key(params)] = commands
        return True

    def get_my_commands(self, params: Params) -> list[Json]:
        return self._world.commands.get(self._command_key(params), [])

    def delete_my_commands(self, params: Params) -> bool:
        self._world.commands.pop(self._command_key(params), None)
        return True

    def get_file(self, params: Params) -> Json:
        stored = self._world.files.get(str(params.get("file_id")))
        if stored is None:
            raise bad_request("invalid file_id")
        if len(stored.content) > MAX_DOWNLOAD:
            raise bad_request("file is too big")
        about = {"file_id": stored.file_id, "file_unique_id": f"u-{stored.file_id}", "file_size": len(stored.content)}
        return {**about, "file_path": stored.path}

    def send_document(self, params: Params) -> Json:
        return self._send_upload(params, "document")

    def send_photo(self, params: Params) -> Json:
        return self._send_upload(params, "photo")

    def answer_callback_query(self, params: Params) -> bool:
        query = str(params.get("callback_query_id"))
        if self._world.callbacks.get(query, "") is not None:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        self._world.callbacks[query] = {"text": params.get("text")}
        self._world.note("callback_answered", query=query, text=params.get("text"))
        return True

    def get_chat(self, params: Params) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _GIFTS}
        return {**chat.as_json(), **full}

    # ---- shared -------------------------------------------------------------------------------------------------

    def _text(
        self,
        params: Params,
        *,
        name: str = "text",
        limit: int = tt.MAX_TEXT,
        too_long: str = "message is too long",
        may_be_empty: bool = False,
    ) -> tuple[str, list[Json]]:
        """The text that a request wants shown, checked as the server checks it."""
        raw = params.get(name)
        try:
            parse_mode = params.get("parse_mode")
            key = "entities" if name == "text" else "caption_entities"
            shown, found = tt.parse(str(raw or ""), parse_mode)
            entities = found if parse_mode else (params.parsed(key) or [])
            checked = tt.check_entities(shown, entities)
            text, checked = tt.trim(tt.clean(shown), checked)
        except tt.BadText as refused:
            raise bad_request(str(refused)) from None
        if not text and not may_be_empty:
            raise bad_request("message text is empty")
        if tt.units(text) > limit:
            raise bad_request(too_long)
        return text, checked

    def _post(self, chat: Chat, params: Params, content: Json) -> Json:
        """Put the bot's message into a chat."""
        thread = params.number("message_thread_id")
        if thread is not None and chat.type != "private" and thread not in chat.topics:
            raise bad_request("message thread not found")
        content |= self._reply(chat, params)
        markup = params.parsed("reply_markup")
        content |= {"reply_markup": markup} if markup else {}
        self.limits.check(chat)
        message = self._world.new_message(chat, self._world.bot, content, thread=thread)
        chat.drafts.clear()
        self._world.note(
            "bot_sent",
            chat=chat.id,
            message_id=message["message_id"],
            text=content.get("text", content.get("caption")),
            thread=thread,
            silent=params.flag("disable_notification"),
        )
        return message

    def _reply(self, chat: Chat, params: Params) -> Json:
        wanted = params.parsed("reply_parameters") or {}
        message_id = wanted.get("message_id") or params.number("reply_to_message_id")
        if not message_id:
            return {}
        message = chat.messages.get(int(message_id))
        if message is not None:
            return {"reply_to_message": self._world.quoted(message)}
        if wanted.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
            return {}
        raise bad_request("message to be replied not found")

    def _send_upload(self, params: Params, kind: str) -> Json:
        chat = self._world.chat(params.get("chat_id"))
        return self._post(chat, params, self._uploaded(params, kind))

    def _uploaded(self, params: Params, kind: str) -> Json:
        upload = params.file(kind)
        if upload is None:
            raise bad_request(f"there is no {kind} in the request")
        stored = self._world.keep_file(upload.content, media_type=upload.media_type, name=upload.name)
        about: Json = {
            "file_id": stored.file_id,
            "file_unique_id": f"u-{stored.file_id}",
            "file_size": len(upload.content),
        }
        shape: Any = {**about, "file_name": upload.name, "mime_type": upload.media_type}
        if kind == "photo" and not upload.content.startswith(_PICTURE_STARTS):
            raise bad_request("IMAGE_PROCESS_FAILED")
        if kind == "photo":
            shape = [{**about, "width": 640, "height": 480}]
        return {kind: shape, **{name: value for name, value in self._caption(params).items() if value}}

    def _caption(self, params: Params) -> Json:
        if not params.get("caption"):
            return {"caption": None, "caption_entities": None}
        caption, entities = self._text(
            params, name="caption", limit=tt.MAX_CAPTION, too_long="message caption is too long"
        )
        return {"caption": caption, "caption_entities": entities or None}

    def _same_is_an_error(self, message: Json, wanted: Json) -> None:
        if all(message.get(key) == value for key, value in wanted.items()):
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )

    def _replace(self, message: Json, **fields: Any) -> None:
        for key, value in fields.items():
            message.pop(key, None)
            message |= {key: value} if value is not None else {}
        message["edit_date"] = int(self._world.now())

    def _command_key(self, params: Params) -> tuple[str, str]:
        scope = (params.parsed("scope") or {}).get("type", "default")
        return str(scope), str(params.get("language_code") or "")


_GIFTS = {
    "unlimited_gifts": False,
    "limited_gifts": False,
    "unique_gifts": False,
    "premium_subscription": False,
    "gifts_from_channels": False,
}
