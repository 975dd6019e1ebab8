"""The posting side of a Telegram bot: messages, drafts, typing, files, and what became of a lost answer."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram.constants import ChatAction

from parlour.channels import telegram_files, telegram_text
from parlour.channels.telegram_api import PUBLIC_BASE_URL, Refused, translated
from parlour.channels.telegram_settling import ABOUT_THE_CHAT, Deeds, Settling
from parlour.channels.telegram_text import NOTHING, Rendered
from parlour.channels.telegram_updates import SAYS
from parlour.store.ids import AccountId, TurnId
from parlour.turns.ports import (
    Address,
    DraftStyle,
    NotSent,
    Post,
    PostedFile,
    Receipt,
    Rejected,
    SendLimits,
    draft_number,
)
from parlour.turns.wording import say

T = TypeVar("T")

_REMEMBERED: Final = 2_048
_REMEMBERED_PLACES: Final = 50_000
# Edits count as sends: in a group there are 20 a minute for everything.
_GROUP_DRAFTS_S: Final = 3.5
_PRIVATE_DRAFTS_S: Final = 1.0
# A preview is fetched by Telegram's servers: an address made up by a model could carry out what it was told.
_NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)
_THUMBS: Final = (
    InlineKeyboardButton("👍", callback_data="feedback:up"),
    InlineKeyboardButton("👎", callback_data="feedback:down"),
)
# So many stand side by side where their labels are short.
_SHORT_LABEL: Final = 14
_BUTTONS_A_ROW: Final = 3


class TelegramMessenger:
    """A bot that posts. Every method is one request or few; nothing is retried or waited for here."""

    def __init__(self, account_id: AccountId, bot: Bot, *, base_url: str = PUBLIC_BASE_URL) -> None:
        self._account_id = account_id
        self._bot = bot
        self._is_public = base_url == PUBLIC_BASE_URL
        self._files = httpx.AsyncClient(timeout=30.0)
        self._has_drafts = True
        # Groups that became supergroups, under their old id; turns by the draft shown of them; what drafts show now.
        self._moved: dict[str, int] = {}
        self._shown: OrderedDict[tuple[str, str], Rendered] = OrderedDict()
        # Answers that are certainly others when one is searched for: those in other topics are known only here.
        self._sent: OrderedDict[tuple[str, int], str] = OrderedDict()
        # A bot's private chats share one counter, so that an id seen in one is in no other.
        self._private_places: OrderedDict[int, str] = OrderedDict()
        # It only counts up: a post is none of the private messages that were known before it was sent.
        self._newest_private = 0
        self._floors: OrderedDict[str, int] = OrderedDict()
        self._settling = Settling(
            Deeds(
                placeholder=self._placeholder,
                edit=self._edit_into,
                empty=self._empty,
                give_notice=self._give_notice,
                delete=self._delete,
                is_another=self._is_another,
                has_topics=self._has_topics,
            )
        )

    @property
    def account_id(self) -> AccountId:
        """The account that this bot is."""
        return self._account_id

    def limits(self, address: Address) -> SendLimits:
        """A little under what Telegram documents: 30 a second overall, 1 a second in a chat, 20 a minute in a group."""
        if not self._is_public:
            return SendLimits()
        if address.is_private:
            return SendLimits(account_per_s=28, account_burst=28, chat_per_s=1, chat_burst=3)
        return SendLimits(account_per_s=28, account_burst=28, chat_per_s=17 / 60, chat_burst=3)

    def split(self, markdown: str) -> list[str]:
        """`markdown` in parts of at most 4,096 UTF-16 units as shown; see `telegram_text.split`."""
        return telegram_text.split(markdown)

    async def close(self) -> None:
        """Let go of the connections for files."""
        await self._files.aclose()

    # ---- messages -----------------------------------------------------------------------------------------------

    async def send(self, post: Post) -> Receipt:
        """Post it, or edit its draft into it."""
        if post.draft_key is not None:
            await self._edit_into(post, int(post.draft_key))
            return self._noted(post, Receipt(post.draft_key))
        self._note_floor(post)
        if post.file is not None:
            return self._noted(post, await self._send_file(post, post.file))
        rendered = telegram_text.render(post.text)
        message_id = await self._post(post.address, rendered, reply_to=_answers(post), markup=_buttons(post))
        return self._noted(post, Receipt(str(message_id)))

    async def settle(self, post: Post) -> Receipt | None:
        """Make certain that the post is there, once. See `telegram_settling`."""
        receipt = await self._settling.settle(post)
        return None if receipt is None else self._noted(post, receipt)

    def _noted(self, post: Post, receipt: Receipt) -> Receipt:
        self._sent[post.address.chat, int(receipt.external_key)] = post.key
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        return receipt

    def _note_floor(self, post: Post) -> None:
        # It is sent only where it is certainly not there yet: an earlier try of it needs no place in the search.
        if post.address.is_private:
            self._floors[post.key] = self._newest_private
            if len(self._floors) > _REMEMBERED:
                self._floors.popitem(last=False)

    def _is_another(self, post: Post, message_id: int) -> bool:
        """Whether that message is certainly the answer of another post, in another private chat, or older than it."""
        chat = post.address.chat
        if post.address.is_private and (
            message_id <= self._floors.get(post.key, 0) or self._private_places.get(message_id, chat) != chat
        ):
            return True
        return self._sent.get((chat, message_id), post.key) != post.key

    def saw(self, address: Address, message_id: int) -> None:
        """Remember where a message stands, a person's or ours: when one is searched for, it need not be tried."""
        if address.is_private:
            self._private_places[message_id] = address.chat
            self._newest_private = max(self._newest_private, message_id)
            if len(self._private_places) > _REMEMBERED_PLACES:
                self._private_places.popitem(last=False)

    async def _post(
        self,
        address: Address,
        rendered: Rendered,
        *,
        reply_to: str | None,
        markup: InlineKeyboardMarkup | None = None,
        is_silent: bool = False,
    ) -> int:
        async def request(chat_id: int, entities: list[MessageEntity]) -> int:
            asked = {
                "chat_id": chat_id,
                "text": rendered.text,
                "entities": entities or None,
                "message_thread_id": _thread(address),
                "reply_parameters": _reply(address, reply_to),
                "reply_markup": markup,
                "link_preview_options": _NO_PREVIEW,
                "disable_notification": is_silent or None,
            }
            # Not `Bot.send_message`: of all that Telegram says of the message, only its id is wanted. In lower case,
            # which the server takes too: python-telegram-bot warns about names it has methods for.
            told: Any = await self._bot.do_api_request("sendmessage", api_kwargs=asked)
            return int(told["message_id"])

        async with translated(is_repeatable=False):
            message_id = await self._in_chat(address, rendered, request)
        self.saw(address, message_id)
        return message_id

    async def _edit(
        self, address: Address, message_id: int, rendered: Rendered, markup: InlineKeyboardMarkup | None
    ) -> None:
        async def request(chat_id: int, entities: list[MessageEntity]) -> None:
            try:
                await self._bot.edit_message_text(
                    rendered.text,
                    chat_id,
                    message_id,
                    entities=entities,
                    reply_markup=markup,
                    link_preview_options=_NO_PREVIEW,
                )
            except Refused as refused:
                if not refused.says("message is not modified"):
                    raise

        async with translated(is_repeatable=True):
            await self._in_chat(address, rendered, request)

    async def _in_chat(
        self, address: Address, rendered: Rendered, request: Callable[[int, list[MessageEntity]], Awaitable[T]]
    ) -> T:
        """Do `request` with the text's entities, without them where Telegram refuses them: plain beats lost.

        A group that became a supergroup is followed. After a refusal nothing was done, so asking again is safe.
        """
        chat_id = self._chat_id(address)
        entities = [MessageEntity(**entity) for entity in rendered.entities()]
        try:
            return await request(chat_id, entities)
        except Refused as refused:
            if refused.moved_to is not None:
                self._moved[address.chat] = int(refused.moved_to)
                return await request(int(refused.moved_to), entities)
            if entities and refused.status == HTTPStatus.BAD_REQUEST and refused.says("parse", "entit"):
                return await request(chat_id, [])
            raise

    def _chat_id(self, address: Address) -> int:
        return self._moved.get(address.chat) or int(address.chat)

    # ---- settling -----------------------------------------------------------------------------------------------

    async def _placeholder(self, post: Post) -> int:
        return await self._post(post.address, Rendered(NOTHING), reply_to=_answers(post), is_silent=True)

    async def _edit_into(self, post: Post, message_id: int) -> None:
        if post.file is not None:
            await self._edit_into_file(post, post.file, message_id)
            return
        self._shown.pop((post.address.chat, str(message_id)), None)
        await self._edit(post.address, message_id, telegram_text.render(post.text), _buttons(post))

    async def _empty(self, post: Post, message_id: int) -> None:
        await self._edit(post.address, message_id, Rendered(NOTHING), None)

    async def _give_notice(self, post: Post, message_id: int) -> None:
        await self._edit(post.address, message_id, Rendered(say("draft_lost", post.language)), None)

    async def _delete(self, post: Post, message_id: int) -> None:
        async with translated(is_repeatable=True):
            await self._bot.delete_message(self._chat_id(post.address), message_id)

    async def _has_topics(self, post: Post) -> bool:
        async with translated(is_repeatable=True):
            return bool((await self._bot.get_chat(self._chat_id(post.address))).is_forum)

    # ---- files of answers ----------------------------------------------------------------------------------------

    async def _send_file(self, post: Post, file: PostedFile) -> Receipt:
        """As a picture, as a document where Telegram takes it for none, in words where it takes neither."""
        try:
            return Receipt(str(await self._post_file(post, file, as_picture=telegram_files.is_picture(file))))
        except Rejected as refused:
            if refused.code in ABOUT_THE_CHAT:
                raise
        try:
            return Receipt(str(await self._post_file(post, file, as_picture=False)))
        except Rejected as refused:
            if refused.code in ABOUT_THE_CHAT:
                raise
        words = telegram_text.render(telegram_text.split(file.words or file.name)[0])
        return Receipt(str(await self._post(post.address, words, reply_to=_answers(post), markup=_buttons(post))))

    async def _post_file(self, post: Post, file: PostedFile, *, as_picture: bool) -> int:
        where = {
            "message_thread_id": _thread(post.address),
            "reply_parameters": _reply(post.address, _answers(post)),
            "reply_markup": _buttons(post),
        }

        async def request(chat_id: int, _: list[MessageEntity]) -> int:
            send = telegram_files.send_picture if as_picture else telegram_files.send_document
            return await send(self._bot, chat_id, file, **where)

        async with translated(is_repeatable=False):
            return await self._in_chat(post.address, Rendered(NOTHING), request)

    async def _edit_into_file(self, post: Post, file: PostedFile, message_id: int) -> None:
        """Make that message of ours this file. Raises `DraftLost` and `Rejected` for one that is not ours or gone."""

        async def request(chat_id: int, _: list[MessageEntity]) -> None:
            await telegram_files.replace(self._bot, chat_id, message_id, file, _buttons(post))

        async with translated(is_repeatable=True):
            await self._in_chat(post.address, Rendered(NOTHING), request)

    # ---- drafts -------------------------------------------------------------------------------------------------

    def draft_style(self, address: Address) -> DraftStyle:
        """Telegram's own drafts in private chats (where the server has them), an edited message in groups."""
        if not address.is_private:
            return DraftStyle.MESSAGE
        return DraftStyle.EPHEMERAL if self._has_drafts else DraftStyle.NONE

    def draft_interval_s(self, address: Address) -> float:
        """A second in private chats, more in groups."""
        return _PRIVATE_DRAFTS_S if address.is_private else _GROUP_DRAFTS_S

    async def draft(
        self, address: Address, turn_id: TurnId, text: str, *, key: str | None, reply_to: str | None
    ) -> str | None:
        """Show the answer so far: its end in a draft that vanishes, its beginning in one that becomes the answer."""
        if address.is_private:
            await self._draft_in_private(address, turn_id, telegram_text.tail(text))
            return None
        rendered = telegram_text.render(telegram_text.split(text)[0])
        if key is None:
            key = str(await self._post(address, rendered, reply_to=reply_to))
        elif self._shown.get((address.chat, key)) != rendered:
            await self._edit(address, int(key), rendered, None)
        self._shown[address.chat, key] = rendered
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        return key

    async def _draft_in_private(self, address: Address, turn_id: TurnId, rendered: Rendered) -> None:
        async def request(chat_id: int, entities: list[MessageEntity]) -> None:
            await self._bot.send_message_draft(
                chat_id,
                draft_number(turn_id),
                rendered.text,
                _thread(address),
                entities=entities,
                api_kwargs={"can_stop": True},
            )

        try:
            async with translated(is_repeatable=True):
                await self._in_chat(address, rendered, request)
        except Rejected as refused:
            # A local Bot API server may be older than drafts.
            self._has_drafts = refused.code != "http_404"
            raise

    async def typing(self, address: Address, turn_id: TurnId) -> None:
        """Show "typing…" for some seconds."""
        async with translated(is_repeatable=True):
            await self._bot.send_chat_action(
                self._chat_id(address), ChatAction.TYPING, message_thread_id=_thread(address)
            )

    # ---- files --------------------------------------------------------------------------------------------------

    async def fetch(self, reference: str, *, limit_bytes: int) -> bytes:
        """The file's bytes, never more than the limit in memory."""
        async with translated(is_repeatable=True):
            file = await self._bot.get_file(reference)
        if (file.file_size or 0) > limit_bytes:
            raise Rejected("too_large")
        if not file.file_path or not file.file_path.startswith(("http://", "https://")):
            # A Bot API server in local mode answers with a path on its own disk.
            raise Rejected("file_not_served")
        try:
            return await self._download(file.file_path, limit_bytes)
        except httpx.HTTPError as error:
            # `from None`: the address has the token in it.
            raise NotSent(type(error).__name__) from None

    async def _download(self, url: str, limit_bytes: int) -> bytes:
        content = bytearray()
        async with self._files.stream("GET", url) as answer:
            if answer.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                raise Rejected("file_gone")
            if answer.status_code != HTTPStatus.OK:
                raise NotSent(f"HTTP {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > limit_bytes:
                    raise Rejected("too_large")
        return bytes(content)


def _buttons(post: Post) -> InlineKeyboardMarkup | None:
    """The answer's own buttons, and thumbs, where the part has them. What one says is known to intake by its number."""
    own = [InlineKeyboardButton(label, callback_data=f"{SAYS}{number}") for number, label in enumerate(post.buttons)]
    side_by_side = _BUTTONS_A_ROW if all(len(label) <= _SHORT_LABEL for label in post.buttons) else 1
    rows: list[Sequence[InlineKeyboardButton]] = [
        own[start : start + side_by_side] for start in range(0, len(own), side_by_side)
    ]
    if post.asks_feedback:
        rows.append(_THUMBS)
    return InlineKeyboardMarkup(rows) if rows else None


def _answers(post: Post) -> str | None:
    """The message that it is shown as a reply to: the question, or what opened the thread it belongs to."""
    return post.reply_to or post.under


def _thread(address: Address) -> int | None:
    return None if address.thread is None else int(address.thread)


def _reply(address: Address, reply_to: str | None) -> ReplyParameters | None:
    """In groups it must be seen whom the answer is for; in private it is noise."""
    if address.is_private or reply_to is None:
        return None
    return ReplyParameters(int(reply_to), allow_sending_without_reply=True)
