"""Telegram, both ways: a bot that polls or is called by webhook, and posts through `TelegramMessenger`."""

import asyncio
import hmac
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Literal

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from telegram import Bot, BotCommand
from telegram.error import TelegramError

from parlour.channels.protocol import Accounts
from parlour.channels.telegram_api import POLL_S, PUBLIC_BASE_URL, make_bot, translated
from parlour.channels.telegram_messenger import TelegramMessenger
from parlour.channels.telegram_polling import Polling
from parlour.channels.telegram_updates import (
    ALLOWED_UPDATES,
    FEEDBACK,
    Json,
    Me,
    UnreadableUpdate,
    kind_of,
    read_update,
)
from parlour.store.errors import StoreError
from parlour.turns.ports import Incoming, Intake, Messenger, NotSent, OutcomeUnknown, Rejected, Throttled

log = structlog.get_logger()

# An update is text of 4,096 characters with its surroundings; a reply quotes one more.
_MAX_BODY: Final = 1_000_000
_CURSOR_EVERY_S: Final = 1.0
_SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the header's name)


class TelegramChannel:
    """A Telegram bot as a channel. `commands` are (name, English description, Chinese description)."""

    def __init__(
        self,
        token: str,
        *,
        mode: Literal["polling", "webhook"] = "polling",
        webhook_secret: str = "",
        webhook_url: str = "",
        base_url: str = PUBLIC_BASE_URL,
        commands: Sequence[tuple[str, str, str]] = (),
        timeout_s: float = 15.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if mode == "webhook" and not webhook_secret:
            raise ValueError("telegram.webhook_secret: is empty in webhook mode. Set it to a long random word.")
        self._token = token
        self._mode = mode
        self._webhook_secret = webhook_secret
        self._webhook_url = webhook_url
        self._base_url = base_url
        self._commands = tuple(commands)
        self._timeout_s = timeout_s
        self._now = now
        self._bot: Bot | None = None
        self._messenger: TelegramMessenger | None = None
        self._me: Me
        self._intake: Intake
        self._accounts: Accounts
        self._thanks: set[asyncio.Task[None]] = set()
        self._confirmed = 0
        self._noting: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """`telegram`."""
        return "telegram"

    # ---- opening and closing ------------------------------------------------------------------------------------

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Check the token, register the bot and its commands, and tell Telegram how updates come."""
        self._intake, self._accounts = intake, accounts
        self._bot = make_bot(self._token, self._base_url, timeout_s=self._timeout_s)
        try:
            async with translated(is_repeatable=True):
                await self._bot.initialize()
                await self._choose_mode(self._bot)
            await self._register(self._bot)
            await self._register_commands(self._bot)
        except BaseException:
            await self.close()
            raise
        log.info("telegram_opened", account_id=str(self._me.account_id), mode=self._mode)

    async def _register(self, bot: Bot) -> None:
        """Register the bot's account; from here on it can post."""
        user = bot.bot
        username = user.username or str(user.id)
        account_id = await asyncio.to_thread(self._accounts.register, self.name, str(user.id), username)
        self._me = Me(account_id, user.id, username, frozenset(name for name, _, _ in self._commands))
        self._messenger = TelegramMessenger(account_id, bot, base_url=self._base_url)

    async def _choose_mode(self, bot: Bot) -> None:
        """Polling needs a webhook out of the way; a webhook is set where its address is known. What waits is kept."""
        if self._mode == "polling":
            await bot.delete_webhook(drop_pending_updates=False)
        elif self._webhook_url:
            await bot.set_webhook(
                self._webhook_url, secret_token=self._webhook_secret, allowed_updates=list(ALLOWED_UPDATES)
            )

    async def _register_commands(self, bot: Bot) -> None:
        """Show the commands in people's menus. Not worth failing for."""
        if not self._commands:
            return
        english = [BotCommand(name, description) for name, description, _ in self._commands]
        chinese = [BotCommand(name, description) for name, _, description in self._commands]
        try:
            async with translated(is_repeatable=True):
                await bot.set_my_commands(english)
                await bot.set_my_commands(chinese, language_code="zh")
        except (NotSent, OutcomeUnknown, Throttled, Rejected) as error:
            log.warning("telegram_commands_not_registered", error=type(error).__name__)

    async def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        for task in list(self._thanks):
            task.cancel()
        if self._noting is not None:
            # Cut short, it writes at once.
            self._noting.cancel()
            await asyncio.gather(self._noting, return_exceptions=True)
        if self._messenger is not None:
            messenger, self._messenger = self._messenger, None
            await messenger.close()
        if self._bot is not None:
            bot, self._bot = self._bot, None
            await bot.shutdown()

    def messengers(self) -> Sequence[Messenger]:
        """The bot's posting side."""
        return [] if self._messenger is None else [self._messenger]

    # ---- taking in ----------------------------------------------------------------------------------------------

    async def receive(self) -> None:
        """Take updates in until cancelled; with a webhook they come over `routes`."""
        if self._mode == "webhook":
            await asyncio.Event().wait()
        await Polling(
            fetch=self._fetch, take=self._take, confirmed=self._move_cursor, rejected=self._note_rejected
        ).run()

    async def _fetch(self, offset: int | None) -> Sequence[Json]:
        wanted: dict[str, Any] = {"timeout": POLL_S, "allowed_updates": list(ALLOWED_UPDATES)}
        wanted |= {} if offset is None else {"offset": offset}
        bot = self._open_bot()
        async with translated(is_repeatable=True):
            # Not `Bot.get_updates`, which parses all of a batch or none: one malformed update would hold up all others.
            # In lower case, which the server takes too: python-telegram-bot warns about names it has methods for.
            updates: Any = await bot.do_api_request("getupdates", api_kwargs=wanted, read_timeout=POLL_S + 10)
        return updates if isinstance(updates, list) else []

    async def _take(self, updates: Sequence[Json]) -> None:
        """Commit updates that came together."""
        read = [(update, self._read(update)) for update in updates]
        if events := [incoming for _, incoming in read if incoming is not None]:
            await asyncio.to_thread(self._intake.receive_all, events)
        for update, incoming in read:
            self._thank(update, language=None if incoming is None else incoming.sender.language)

    def _read(self, update: Json) -> Incoming | None:
        """What it says. What cannot be read is logged by id and kind, and skipped: it will not get better."""
        try:
            incoming = read_update(update, self._me, now=self._now())
        except UnreadableUpdate as error:
            self._log_unreadable(update, str(error))
            return None
        if incoming is None:
            log.debug("telegram_update_ignored", update_id=update.get("update_id"), kind=kind_of(update))
        elif self._messenger is not None and (incoming.message_key or "").isdecimal():
            self._messenger.saw(incoming.address, int(incoming.message_key or 0))
        return incoming

    def _log_unreadable(self, update: Json, reason: str) -> None:
        """By id and kind only: a traceback could quote what a person wrote."""
        log.error("telegram_update_unreadable", update_id=update.get("update_id"), kind=kind_of(update), error=reason)

    def _open_bot(self) -> Bot:
        if self._bot is None:
            raise RuntimeError("the Telegram channel is not open")
        return self._bot

    async def _move_cursor(self, update_id: int) -> None:
        """Note how far it is confirmed, for operators: what counts is Telegram's offset and the turns' event ids.

        Once a second: a write of its own for every message would cost more than it tells.
        """
        self._confirmed = update_id
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note_cursor(), name="telegram-cursor")

    async def _note_cursor(self) -> None:
        try:
            await asyncio.sleep(_CURSOR_EVERY_S)
        finally:
            with suppress(StoreError):
                await asyncio.to_thread(self._accounts.move_cursor, self._me.account_id, self._confirmed)

    async def _note_rejected(self) -> None:
        with suppress(StoreError):
            await asyncio.to_thread(self._accounts.reject, self._me.account_id)

    # ---- buttons ------------------------------------------------------------------------------------------------

    def _thank(self, update: Json, *, language: str | None) -> None:
        """Stop the spinner on a pressed button, beside the loop: a slow answer must not hold up the next update."""
        query = update.get("callback_query")
        if not isinstance(query, dict) or "id" not in query:
            return
        is_thumb = str(query.get("data")) in FEEDBACK
        task = asyncio.create_task(self._answer_press(str(query["id"]), _thanks(language) if is_thumb else None))
        self._thanks.add(task)
        task.add_done_callback(self._thanks.discard)

    async def _answer_press(self, query_id: str, word: str | None) -> None:
        with suppress(TelegramError):
            await self._open_bot().answer_callback_query(query_id, word)

    # ---- webhook ------------------------------------------------------------------------------------------------

    def routes(self) -> Sequence[BaseRoute]:
        """`POST /telegram/webhook` in webhook mode."""
        if self._mode != "webhook":
            return []
        return [Route("/telegram/webhook", self._on_webhook, methods=["POST"])]

    async def _on_webhook(self, request: Request) -> Response:
        """200 once the update is committed or needs nothing, 401 for a wrong secret, 503 when it was not committed.

        After a 503 Telegram sends it again.
        """
        if not self._is_telegram(request):
            return PlainTextResponse("wrong secret", status_code=401)
        if self._messenger is None:
            return PlainTextResponse("not open yet", status_code=503)
        body = await _read_body(request)
        if body is None:
            return PlainTextResponse("too large", status_code=413)
        try:
            update = json.loads(body)
        except ValueError:
            return PlainTextResponse("not JSON", status_code=400)
        if not isinstance(update, dict):
            return PlainTextResponse("not an update", status_code=400)
        return await self._commit(update)

    def _is_telegram(self, request: Request) -> bool:
        given = request.headers.get(_SECRET_HEADER, "")
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._webhook_secret.encode())

    async def _commit(self, update: Json) -> Response:
        try:
            await self._take([update])
        except Exception as error:  # noqa: BLE001 (whatever it was, it is not committed; logged, without its text)
            log.warning("telegram_update_waits", update_id=update.get("update_id"), error=type(error).__name__)
            return PlainTextResponse("not committed", status_code=503)
        return PlainTextResponse("ok")


async def _read_body(request: Request) -> bytes | None:
    """The request's body, None past the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return None
    return bytes(body)


def _thanks(language: str | None) -> str:
    return "谢谢！" if (language or "").lower().startswith("zh") else "Thank you!"
