"""The state of the fake Telegram: people, chats, messages, updates that wait, and a journal of all that happened."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import telegram_text as tt

Json = dict[str, Any]

DRAFT_LIFE_S = 30.0
# What a bot gets unless it asks for more.
DEFAULT_UPDATES = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "callback_query",
        "my_chat_member",
        "inline_query",
        "chosen_inline_result",
        "shipping_query",
        "pre_checkout_query",
        "poll",
        "poll_answer",
        "stopped_message_generation",
    }
)
KNOWN_UPDATES = DEFAULT_UPDATES | {"message_reaction", "message_reaction_count", "chat_member", "chat_join_request"}


class ApiError(Exception):
    """An answer that is not ok: HTTP status, description and, for some, parameters."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def bad_request(description: str, **parameters: Any) -> ApiError:
    """A 400 in Telegram's words."""
    return ApiError(400, f"Bad Request: {description}", **parameters)


@dataclass(slots=True)
class Draft:
    """A draft that a person sees now."""

    draft_id: int
    text: str
    entities: list[Json]
    until: float
    can_stop: bool
    thread: int | None


@dataclass(slots=True)
class Chat:
    """One chat as the server knows it. `counter` is shared by all private chats of the bot."""

    id: int
    type: str
    title: str
    counter: list[int]
    is_forum: bool = False
    topics: set[int] = field(default_factory=set)
    # Why the bot cannot write here any more: `bot was blocked by the user`, and the like.
    forbidden: str | None = None
    migrated_to: int | None = None
    messages: dict[int, Json] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)

    def next_id(self) -> int:
        """The id of the next message here."""
        self.counter[0] += 1
        return self.counter[0]

    def as_json(self) -> Json:
        """The `Chat` object."""
        if self.type == "private":
            return {"id": self.id, "type": self.type, "first_name": self.title}
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.id, "type": self.type, "title": self.title, **forum}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on the server."""

    file_id: str
    path: str
    content: bytes
    media_type: str


class World:
    """Everything Telegram knows about one bot. Not thread-safe: it lives in the server's event loop."""

    def __init__(self, *, token: str, username: str = "parlour_bot", now: Callable[[], float] = time.time) -> None:
        self.token = token
        self.now = now
        bot_id = int(token.split(":", maxsplit=1)[0])
        self.bot: Json = {"id": bot_id, "is_bot": True, "first_name": "Parlour", "username": username}
        self.users: dict[int, Json] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.callbacks: dict[str, Json | None] = {}
        self.pending: list[Json] = []
        self.confirmed: list[Json] = []
        self.allowed_updates: frozenset[str] = DEFAULT_UPDATES
        self.journal: list[Json] = []
        self.on_update: Callable[[], None] = lambda: None
        self.on_note: Callable[[], None] = lambda: None
        self._private_counter = [0]
        self._next_update = 100_001
        self._serial = 0

    # ---- journal ------------------------------------------------------------------------------------------------

    def note(self, what: str, **details: Any) -> None:
        """Write an entry into the journal."""
        # `at` is the people's clock, which a test may set; `monotonic` is for measuring how long something took.
        times = {"at": self.now(), "monotonic": time.monotonic()}
        self.journal.append({"seq": len(self.journal) + 1, **times, "what": what, **details})
        self.on_note()

    def fresh(self, prefix: str) -> str:
        """An id that was not there before."""
        self._serial += 1
        return f"{prefix}{self._serial}"

    # ---- people and chats ---------------------------------------------------------------------------------------

    def user(self, user_id: int, *, name: str | None = None, language: str | None = None, is_bot: bool = False) -> Json:
        """The `User` object of a person, made at first sight."""
        known = self.users.setdefault(user_id, {"id": user_id, "is_bot": is_bot, "first_name": f"User {user_id}"})
        known |= {"first_name": name} if name else {}
        known |= {"language_code": language} if language else {}
        return known

    def private_chat(self, user_id: int) -> Chat:
        """The chat of a person with the bot, opened at first sight."""
        name = self.user(user_id)["first_name"]
        return self.chats.setdefault(user_id, Chat(user_id, "private", name, self._private_counter))

    def open_chat(self, chat_id: int, *, kind: str, title: str, is_forum: bool) -> Chat:
        """A new group, supergroup or channel with a counter of its own."""
        counter = [0] if kind != "group" else self._private_counter
        chat = Chat(chat_id, kind, title, counter, is_forum=is_forum)
        self.chats[chat_id] = chat
        return chat

    def chat(self, chat_id: Any) -> Chat:
        """The chat a bot names. Raises what the server says for one it cannot write to."""
        try:
            chat = self.chats[int(chat_id)]
        except (KeyError, ValueError, TypeError):
            raise bad_request("chat not found") from None
        if chat.migrated_to is not None:
            raise bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
        if chat.forbidden:
            raise ApiError(403, f"Forbidden: {chat.forbidden}")
        return chat

    # ---- messages -----------------------------------------------------------------------------------------------

    def new_message(
        self, chat: Chat, sender: Json, content: Json, *, thread: int | None = None, age_s: float = 0.0
    ) -> Json:
        """Put a message into a chat and return it."""
        message: Json = {
            "message_id": chat.next_id(),
            "from": sender,
            "chat": chat.as_json(),
            "date": int(self.now() - age_s),
        }
        if thread is not None:
            message |= {"message_thread_id": thread, "is_topic_message": True}
        message |= content
        chat.messages[message["message_id"]] = message
        return message

    def own_message(self, chat: Chat, message_id: Any, *, missing: str) -> Json:
        """A message of the bot's own. Raises what the server says for others and for none."""
        message = chat.messages.get(int(message_id))
        if message is None:
            raise bad_request(missing)
        if message["from"]["id"] != self.bot["id"]:
            raise bad_request("message can't be edited")
        return message

    def quoted(self, message: Json) -> Json:
        """A message as it looks inside a reply to it."""
        return {key: value for key, value in message.items() if key != "reply_to_message"}

    def visible_drafts(self, chat: Chat) -> list[Draft]:
        """Drafts that have not vanished."""
        chat.drafts = {key: draft for key, draft in chat.drafts.items() if draft.until > self.now()}
        return list(chat.drafts.values())

    def keep_file(self, content: bytes, *, media_type: str, name: str) -> StoredFile:
        """Store a file and return how it is found."""
        file_id = self.fresh("file-")
        stored = StoredFile(file_id, f"documents/{file_id}-{name}", content, media_type)
        self.files[file_id] = stored
        return stored

    # ---- updates ------------------------------------------------------------------------------------------------

    def queue_update(self, kind: str, payload: Any) -> int | None:
        """Queue an update for the bot; None when the bot did not ask for this kind."""
        if kind in KNOWN_UPDATES and kind not in self.allowed_updates:
            self.note("update_not_wanted", kind=kind)
            return None
        update = {"update_id": self._next_update, kind: payload}
        self._next_update += 1
        self.pending.append(update)
        self.note("update", update_id=update["update_id"], kind=kind)
        self.on_update()
        return int(update["update_id"])

    def confirm_below(self, offset: int) -> None:
        """Forget updates with an id under `offset`."""
        gone = [update for update in self.pending if update["update_id"] < offset]
        if not gone:
            return
        self.pending = [update for update in self.pending if update["update_id"] >= offset]
        self.confirmed += gone
        self.note("confirmed", update_ids=[update["update_id"] for update in gone])

    def allow(self, wanted: Any) -> None:
        """Set the kinds of update the bot gets: none given keeps what was, an empty list means the default."""
        if wanted is None:
            return
        self.allowed_updates = frozenset(wanted) or DEFAULT_UPDATES

    def snapshot(self) -> list[Json]:
        """Every chat with the messages and drafts that people see now."""
        return [
            {
                **chat.as_json(),
                "messages": [chat.messages[key] for key in sorted(chat.messages)],
                "drafts": [
                    {"draft_id": d.draft_id, "text": d.text, "can_stop": d.can_stop, "thread": d.thread}
                    for d in self.visible_drafts(chat)
                ],
            }
            for chat in self.chats.values()
        ]


def incoming_text(text: str) -> Json:
    """Text and entities of a person's message, as the server makes them."""
    shown, entities = tt.trim(tt.clean(text), [])
    found = entities + tt.automatic_entities(shown)
    return {"text": shown, "entities": found} if found else {"text": shown}
