"""What people do in the fake Telegram: write, edit, press, stop, send files, block. Tests and processes call these."""

from typing import Any

from tests.fakes.telegram_world import Chat, Json, World, bad_request, incoming_text


class People:
    """The people's side of a world. Every method returns JSON: it is called over HTTP too, by its name."""

    def __init__(self, world: World) -> None:
        self._world = world

    def say(
        self,
        user: int,
        text: str,
        *,
        chat: int | None = None,
        thread: int | None = None,
        reply_to: int | None = None,
        name: str | None = None,
        language: str | None = None,
        age_s: float = 0.0,
        is_bot: bool = False,
        entities: list[Json] | None = None,
        extra: Json | None = None,
    ) -> Json:
        """Write, in private or in `chat`. `age_s` makes the message that old; `extra` adds fields of `Message`."""
        content = incoming_text(text)
        content |= {"entities": entities} if entities is not None else {}
        return self._post(
            user,
            content | (extra or {}),
            chat=chat,
            thread=thread,
            reply_to=reply_to,
            name=name,
            language=language,
            age_s=age_s,
            is_bot=is_bot,
        )

    def meet(self, user: int, *, name: str | None = None, language: str | None = None) -> Json:
        """Open the chat with the bot without writing: only then may the bot write there."""
        self._world.user(user, name=name, language=language)
        return self._world.private_chat(user).as_json()

    def send_file(
        self,
        user: int,
        *,
        kind: str = "document",
        content: str = "content",
        size: int | None = None,
        file_name: str = "file.txt",
        media_type: str = "text/plain",
        caption: str | None = None,
        chat: int | None = None,
        thread: int | None = None,
    ) -> Json:
        """Send a file: `document`, `photo`, `voice`, `audio`, `video`, `sticker`. `size` is what is announced."""
        stored = self._world.keep_file(content.encode(), media_type=media_type, name=file_name)
        announced = len(stored.content) if size is None else size
        about: Json = {"file_id": stored.file_id, "file_unique_id": f"u-{stored.file_id}", "file_size": announced}
        shape: Any = self._media(kind, about, file_name=file_name, media_type=media_type)
        body: Json = {kind: shape}
        if caption is not None:
            as_text = incoming_text(caption)
            body["caption"] = as_text["text"]
            body |= {"caption_entities": as_text["entities"]} if "entities" in as_text else {}
        return self._post(user, body, chat=chat, thread=thread)

    def edit(self, user: int, message_id: int, text: str, *, chat: int | None = None) -> Json:
        """Change an own message."""
        place = self._place(user, chat)
        message = place.messages[message_id]
        message.pop("entities", None)
        message |= incoming_text(text) | {"edit_date": int(self._world.now())}
        self._world.note("user_edited", chat=place.id, message_id=message_id)
        update_id = self._world.queue_update("edited_message", dict(message))
        return {"update_id": update_id, "message_id": message_id, "chat": place.id}

    def press(self, user: int, message_id: int, *, button: int = 0, chat: int | None = None) -> Json:
        """Press the `button`-th button under a message of the bot."""
        place = self._place(user, chat)
        message = place.messages[message_id]
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        buttons = [one for row in rows for one in row]
        if button >= len(buttons):
            raise bad_request(f"message {message_id} has {len(buttons)} buttons")
        query_id = self._world.fresh("query-")
        self._world.callbacks[query_id] = None
        query = {
            "id": query_id,
            "from": self._world.user(user),
            "message": dict(message),
            "chat_instance": str(place.id),
            "data": buttons[button]["callback_data"],
        }
        self._world.note("pressed", chat=place.id, message_id=message_id, data=query["data"])
        return {"update_id": self._world.queue_update("callback_query", query), "callback_query_id": query_id}

    def stop(self, user: int, draft_id: int) -> Json:
        """Press the stop button of a draft."""
        place = self._place(user, None)
        draft = place.drafts.pop(draft_id, None)
        if draft is not None and not draft.can_stop:
            raise bad_request("the draft has no stop button")
        self._world.note("stopped", chat=place.id, draft_id=draft_id)
        payload: Json = {"chat": place.as_json(), "draft_id": draft_id}
        return {"update_id": self._world.queue_update("stopped_message_generation", payload)}

    def group(
        self,
        chat: int,
        *,
        title: str = "Group",
        kind: str = "supergroup",
        is_forum: bool = False,
        topics: list[int] | None = None,
    ) -> Json:
        """Make a group with the bot in it; `topics` are thread ids of a forum."""
        made = self._world.open_chat(chat, kind=kind, title=title, is_forum=is_forum)
        made.topics.update(topics or [])
        return made.as_json()

    def post_in_channel(self, chat: int, text: str) -> Json:
        """Publish in a channel."""
        place = self._world.chats[chat]
        message: Json = {
            "message_id": place.next_id(),
            "chat": place.as_json(),
            "date": int(self._world.now()),
            **incoming_text(text),
        }
        return {"update_id": self._world.queue_update("channel_post", message)}

    def migrate(self, chat: int, to: int) -> Json:
        """Turn a group into a supergroup with another id."""
        old = self._world.chats[chat]
        old.migrated_to = to
        return self.group(to, title=old.title)

    def block(self, chat: int, *, reason: str = "bot was blocked by the user") -> Json:
        """Refuse the bot from now on."""
        self._world.chats[chat].forbidden = reason
        return {}

    def unblock(self, chat: int) -> Json:
        """Let the bot write again."""
        self._world.chats[chat].forbidden = None
        return {}

    def delete(self, chat: int, message_id: int) -> Json:
        """Delete any message for everyone."""
        self._world.chats[chat].messages.pop(message_id)
        self._world.note("user_deleted", chat=chat, message_id=message_id)
        return {}

    def update(self, kind: str, payload: Any) -> Json:
        """Queue an update of any kind and shape, known or not."""
        return {"update_id": self._world.queue_update(kind, payload)}

    def _place(self, user: int, chat: int | None) -> Chat:
        return self._world.private_chat(user) if chat is None else self._world.chats[chat]

    def _post(
        self,
        user: int,
        content: Json,
        *,
        chat: int | None = None,
        thread: int | None = None,
        reply_to: int | None = None,
        name: str | None = None,
        language: str | None = None,
        age_s: float = 0.0,
        is_bot: bool = False,
    ) -> Json:
        sender = self._world.user(user, name=name, language=language, is_bot=is_bot)
        place = self._place(user, chat)
        if reply_to is not None:
            content = content | {"reply_to_message": self._world.quoted(place.messages[reply_to])}
        message = self._world.new_message(place, sender, content, thread=thread, age_s=age_s)
        text = content.get("text", content.get("caption"))
        self._world.note("user_wrote", chat=place.id, message_id=message["message_id"], user=user, text=text)
        update_id = self._world.queue_update("message", dict(message))
        return {"update_id": update_id, "message_id": message["message_id"], "chat": place.id}

    def _media(self, kind: str, about: Json, *, file_name: str, media_type: str) -> Any:
        picture = {"width": 640, "height": 480}
        match kind:
            case "photo":
                small = {**about, "file_id": f"{about['file_id']}", "file_size": 10, "width": 64, "height": 48}
                return [small, {**about, **picture}]
            case "voice":
                return {**about, "duration": 3, "mime_type": media_type}
            case "audio":
                return {**about, "duration": 3, "mime_type": media_type, "file_name": file_name}
            case "video":
                return {**about, **picture, "duration": 3, "mime_type": media_type, "file_name": file_name}
            case "sticker":
                return {**about, **picture, "type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"}
            case _:
                return {**about, "file_name": file_name, "mime_type": media_type}
