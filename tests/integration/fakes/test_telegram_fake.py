"""The fake Telegram, checked with two real clients: python-telegram-bot and aiogram."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiogram
import aiogram.exceptions
import aiohttp
import httpx
import pytest
import telegram
import telegram.error
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import BotCommand, BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from aiohttp import web
from telegram import Bot

from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.support.pictures import png

ROOT = Path(__file__).resolve().parents[3]
GROUP = -100_500


@pytest.fixture(autouse=True)
def new_time_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it python-telegram-bot warns whenever it makes a `RetryAfter`."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def server() -> Iterator[FakeTelegram]:
    with FakeTelegram() as running:
        running.do("group", chat=GROUP)
        running.say(7, "hello")
        yield running


@pytest.fixture
async def ptb(server: FakeTelegram) -> AsyncIterator[Bot]:
    async with Bot(server.token, base_url=server.base_url, base_file_url=server.base_file_url) as client:
        yield client


@pytest.fixture
async def aio(server: FakeTelegram) -> AsyncIterator[aiogram.Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(server.url))
    async with aiogram.Bot(server.token, session=session) as client:
        yield client


# ---- both clients see the same -----------------------------------------------------------------------------------


async def test_both_clients_know_the_bot(ptb: Bot, aio: aiogram.Bot) -> None:
    mine, theirs = await ptb.get_me(), await aio.get_me()

    assert (mine.id, mine.username) == (theirs.id, theirs.username) == (123_456, "parlour_bot")


async def test_both_clients_read_what_a_person_wrote(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    server.say(8, "/start @parlour_bot", language="zh-hans")

    mine = (await ptb.get_updates(timeout=1))[-1].message
    theirs = (await aio.get_updates(timeout=1))[-1].message

    assert mine is not None
    assert theirs is not None
    assert mine.text == theirs.text == "/start @parlour_bot"
    assert [entity.type for entity in mine.entities] == [entity.type for entity in theirs.entities or []]
    assert mine.from_user is not None
    assert mine.from_user.language_code == "zh-hans"


async def test_both_clients_send_format_and_edit(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    mine = await ptb.send_message(7, "*bold* `code`", parse_mode="MarkdownV2")
    theirs = await aio.send_message(7, '<b>bold</b> <pre><code class="language-py">x</code></pre>', parse_mode="HTML")

    await ptb.edit_message_text("changed", 7, mine.message_id)
    await aio.edit_message_text("changed too", chat_id=7, message_id=theirs.message_id)

    assert [entity.type for entity in mine.entities] == ["bold", "code"]
    assert [(entity.type, entity.language) for entity in theirs.entities or []] == [("bold", None), ("pre", "py")]
    assert server.texts(7) == ["changed", "changed too"]


async def test_both_clients_upload_and_download(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    sent = await aio.send_document(7, BufferedInputFile(b"content", "a.txt"), caption="look")
    photo = await ptb.send_photo(7, b"\xff\xd8picture", caption="see")

    assert sent.document is not None
    file = await ptb.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"content"
    assert photo.caption == "see"


async def test_both_clients_change_a_caption_and_make_a_text_a_picture(
    server: FakeTelegram, ptb: Bot, aio: aiogram.Bot
) -> None:
    mine, theirs = await ptb.send_message(7, "text"), await aio.send_message(7, "text")
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="there is no caption"):
        await aio.edit_message_caption(chat_id=7, message_id=theirs.message_id, caption="see")

    await ptb.edit_message_media(telegram.InputMediaPhoto(png(), caption="see"), 7, mine.message_id)
    media = aiogram.types.InputMediaDocument(media=BufferedInputFile(b"a,b", "a.csv"))
    await aio.edit_message_media(media, chat_id=7, message_id=theirs.message_id)
    await ptb.edit_message_caption(7, theirs.message_id, caption="a table")

    assert [(message.get("caption"), content) for message, content in server.files(7)] == [
        ("see", png()),
        ("a table", b"a,b"),
    ]
    assert server.texts(7) == []


async def test_both_clients_set_commands(ptb: Bot, aio: aiogram.Bot) -> None:
    await ptb.set_my_commands([("help", "What I can do")])
    await aio.set_my_commands([BotCommand(command="help", description="帮助")], language_code="zh")

    assert [command.description for command in await aio.get_my_commands()] == ["What I can do"]
    assert [command.description for command in await ptb.get_my_commands(language_code="zh")] == ["帮助"]
    await aio.delete_my_commands()
    assert list(await ptb.get_my_commands()) == []


async def test_a_button_is_pressed_and_answered(server: FakeTelegram, aio: aiogram.Bot) -> None:
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="up", callback_data="up")]])
    sent = await aio.send_message(7, "Rate me", reply_markup=keyboard)

    server.do("press", user=7, message_id=sent.message_id)
    query = (await aio.get_updates(timeout=1))[-1].callback_query

    assert query is not None
    assert query.data == "up"
    assert await aio.answer_callback_query(query.id, text="Thanks")
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="query is too old"):
        await aio.answer_callback_query(query.id)


async def test_drafts_are_private_have_a_stop_button_and_vanish_with_the_message(
    server: FakeTelegram, ptb: Bot, aio: aiogram.Bot
) -> None:
    await aio.send_message_draft(7, draft_id=5, text="So f", can_stop=True)
    await ptb.send_message_draft(7, 5, "So far", api_kwargs={"can_stop": True})

    assert [draft["text"] for draft in server.drafts(7)] == ["So far"]
    server.do("stop", user=7, draft_id=5)
    stopped = (await aio.get_updates(timeout=1))[-1].stopped_message_generation
    assert stopped is not None
    assert stopped.draft_id == 5
    with pytest.raises(telegram.error.BadRequest, match=r"(?i)TEXTDRAFT_PEER_INVALID"):
        await ptb.send_message_draft(GROUP, 5, "So far")
    await ptb.send_message_draft(7, 6, "Again")
    await ptb.send_message(7, "Done")
    assert server.drafts(7) == []


async def test_replies_topics_and_typing(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    server.do("group", chat=-42, is_forum=True, topics=[3])
    asked = server.say(7, "?", chat=-42, thread=3)["message_id"]

    sent = await aio.send_message(-42, "!", message_thread_id=3, reply_parameters=ReplyParameters(message_id=asked))
    await ptb.send_chat_action(-42, "typing", message_thread_id=3)

    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "?"
    assert sent.is_topic_message
    with pytest.raises(telegram.error.BadRequest, match=r"(?i)thread not found"):
        await ptb.send_message(-42, "!", message_thread_id=4)
    with pytest.raises(telegram.error.BadRequest, match="replied not found"):
        await ptb.send_message(7, "!", reply_to_message_id=999)


# ---- polling -----------------------------------------------------------------------------------------------------


async def test_the_offset_confirms_and_nothing_else_does(ptb: Bot) -> None:
    first = await ptb.get_updates(timeout=0)
    again = await ptb.get_updates(timeout=0)
    after = await ptb.get_updates(offset=first[-1].update_id + 1, timeout=0)

    assert [update.update_id for update in first] == [update.update_id for update in again]
    assert list(after) == []


async def test_a_limit_and_a_negative_offset(server: FakeTelegram, ptb: Bot) -> None:
    for number in range(5):
        server.say(7, str(number))

    assert len(await ptb.get_updates(limit=2, timeout=0)) == 2
    newest = await ptb.get_updates(offset=-1, timeout=0)
    assert [update.message.text for update in newest if update.message] == ["4"]
    assert len(await ptb.get_updates(timeout=0)) == 1


async def test_a_long_poll_ends_when_something_comes(server: FakeTelegram, ptb: Bot) -> None:
    (seen,) = await ptb.get_updates(timeout=0)
    polling = asyncio.create_task(ptb.get_updates(offset=seen.update_id + 1, timeout=30))
    while server.state()["polls"] < 2:
        await asyncio.sleep(0.01)

    server.say(7, "there")

    (update,) = await asyncio.wait_for(polling, 60)
    assert update.message is not None
    assert update.message.text == "there"


async def test_of_two_pollers_the_earlier_is_told(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    (seen,) = await ptb.get_updates(timeout=0)
    earlier = asyncio.create_task(ptb.get_updates(offset=seen.update_id + 1, timeout=30))
    while server.state()["polls"] < 2:
        await asyncio.sleep(0.01)

    later = asyncio.create_task(aio.get_updates(timeout=30))

    with pytest.raises(telegram.error.Conflict):
        await asyncio.wait_for(earlier, 60)
    server.say(7, "there")
    assert len(await asyncio.wait_for(later, 60)) == 1


async def test_only_wanted_kinds_are_queued(server: FakeTelegram, ptb: Bot) -> None:
    await ptb.get_updates(timeout=0, allowed_updates=["callback_query"])
    server.say(7, "not wanted")

    assert len(await ptb.get_updates(timeout=0)) == 1
    server.do("update", kind="a_kind_of_next_year", payload={"x": 1})
    assert (await ptb.get_updates(timeout=0))[-1].api_kwargs == {"a_kind_of_next_year": {"x": 1}}


async def test_confirmed_updates_can_come_again_and_in_another_order(server: FakeTelegram, ptb: Bot) -> None:
    for number in range(20):
        server.say(7, str(number))
    ids = [update.update_id for update in await ptb.get_updates(timeout=0)]
    await ptb.get_updates(offset=ids[-1] + 1, timeout=0)

    server.fault("reorder", method="getUpdates")
    server.do("redeliver", count=20)
    again = [update.update_id for update in await ptb.get_updates(offset=ids[-1] + 1, timeout=0)]

    assert again != sorted(again)
    assert sorted(again) == ids[1:]


# ---- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda bot, _: bot.send_message(404, "hi"), "chat not found"),
        (lambda bot, _: bot.send_message(7, "x" * 4_097), "message is too long"),
        (lambda bot, _: bot.send_message(7, "😀" * 2_049), "message is too long"),
        (lambda bot, _: bot.send_message(7, " \n "), "message text is empty"),
        (lambda bot, _: bot.send_message(7, "<x>", parse_mode="HTML"), "Unsupported start tag"),
        (lambda bot, _: bot.send_message(7, "a.b", parse_mode="MarkdownV2"), "reserved"),
        (lambda bot, mine: bot.edit_message_text("first", 7, mine), "message is not modified"),
        (lambda bot, _: bot.edit_message_text("x", 7, 999), "message to edit not found"),
        (lambda bot, _: bot.edit_message_text("x", 7, 1), "can't be edited"),
        (lambda bot, _: bot.delete_message(7, 999), "message to delete not found"),
        (lambda bot, _: bot.get_file("nothing"), "file_id"),
    ],
)  # fmt: skip
async def test_refusals_are_in_telegrams_words(ptb: Bot, act: Callable[[Bot, int], Awaitable[Any]], match: str) -> None:
    mine = (await ptb.send_message(7, "first")).message_id

    # python-telegram-bot capitalises what the server says.
    with pytest.raises(telegram.error.BadRequest, match=f"(?i){match}"):
        await act(ptb, mine)


@pytest.mark.parametrize(
    ("entity", "match"),
    [
        ({"type": "bold", "offset": 1, "length": 1}, "middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 1}, "middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 9}, "after the end of the text"),
        ({"type": "blink", "offset": 0, "length": 2}, "Unsupported type"),
    ],
)
async def test_entities_that_do_not_fit_the_text_are_refused(
    server: FakeTelegram, entity: dict[str, Any], match: str
) -> None:
    async with httpx.AsyncClient() as client:
        url = f"{server.base_url}{server.token}/sendMessage"
        answer = (await client.post(url, json={"chat_id": 7, "text": "😀!", "entities": [entity]})).json()

    assert not answer["ok"]
    assert match in answer["description"]


async def test_a_wrong_token_and_an_unknown_method(server: FakeTelegram, ptb: Bot) -> None:
    stranger = Bot("123456:wrong", base_url=server.base_url)
    with pytest.raises(telegram.error.InvalidToken):
        await stranger.initialize()
    await stranger.shutdown()
    with pytest.raises(telegram.error.EndPointNotFound):
        await ptb.do_api_request("noSuchMethod")


async def test_who_blocked_the_bot_is_out_of_reach(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    server.do("block", chat=7)

    with pytest.raises(telegram.error.Forbidden, match="blocked by the user"):
        await ptb.send_message(7, "hi")
    with pytest.raises(aiogram.exceptions.TelegramForbiddenError):
        await aio.send_message(7, "hi")


async def test_a_group_that_became_a_supergroup_says_where_it_went(server: FakeTelegram, ptb: Bot) -> None:
    server.do("migrate", chat=GROUP, to=-100_777)

    with pytest.raises(telegram.error.ChatMigrated) as raised:
        await ptb.send_message(GROUP, "hi")

    assert raised.value.new_chat_id == -100_777


async def test_message_ids_count_for_all_private_chats_together_and_for_a_supergroup_alone(
    server: FakeTelegram, ptb: Bot
) -> None:
    server.say(8, "someone else")

    private = [(await ptb.send_message(user, "hi")).message_id for user in (7, 8)]
    group = [(await ptb.send_message(GROUP, "hi")).message_id for _ in range(2)]

    assert private == [3, 4]
    assert group == [1, 2]


# ---- limits and faults -------------------------------------------------------------------------------------------


async def test_limits_are_telegrams_when_they_are_on() -> None:
    now = [1_000.0]
    with FakeTelegram(now=lambda: now[0]) as server:
        server.do("limits", on=True)
        server.do("meet", user=7)
        server.do("group", chat=GROUP)
        async with Bot(server.token, base_url=server.base_url) as bot:
            await bot.send_message(7, "one")
            with pytest.raises(telegram.error.RetryAfter):
                await bot.send_message(7, "two at once")
            for _ in range(20):
                now[0] += 1.01
                await bot.send_message(GROUP, "in the group")
            now[0] += 1.01
            with pytest.raises(telegram.error.RetryAfter) as raised:
                await bot.send_message(GROUP, "the 21st in a minute")

    assert raised.value._retry_after.total_seconds() > 20


async def test_throttling_hits_the_chat_it_is_for(server: FakeTelegram, ptb: Bot, aio: aiogram.Bot) -> None:
    server.say(8, "someone else")
    server.fault("throttle", chat="7", retry_after=33, times=2)

    with pytest.raises(telegram.error.RetryAfter):
        await ptb.send_message(7, "hi")
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as raised:
        await aio.send_message(7, "hi")
    await ptb.send_message(8, "hi")
    await ptb.send_message(7, "hi")

    assert raised.value.retry_after == 33


@pytest.mark.parametrize(
    ("kind", "is_done"),
    [("lose", True), ("error_after", True), ("reset", False), ("error_before", False), ("down", False), ("hang", True)],
)
async def test_a_fault_loses_the_answer_or_the_work(server: FakeTelegram, ptb: Bot, kind: Any, is_done: bool) -> None:
    server.fault(kind, method="sendMessage")

    with pytest.raises(telegram.error.NetworkError):
        await ptb.send_message(7, "hi")

    assert server.texts(7) == (["hi"] if is_done else [])


async def test_the_same_seed_gives_the_same_faults() -> None:
    async def outcomes() -> list[bool]:
        with FakeTelegram(seed=5) as server:
            server.do("meet", user=7)
            server.fault("error_before", method="sendMessage", probability=0.5, times=None)
            async with httpx.AsyncClient() as client:
                url = f"{server.base_url}{server.token}/sendMessage"
                return [(await client.post(url, json={"chat_id": 7, "text": "x"})).is_success for _ in range(20)]

    first, second = await outcomes(), await outcomes()

    assert first == second
    assert {True, False} == set(first)


async def test_the_journal_tells_everything_in_order(server: FakeTelegram, ptb: Bot) -> None:
    sent = await ptb.send_message(7, "one")
    await ptb.edit_message_text("two", 7, sent.message_id)
    await ptb.delete_message(7, sent.message_id)

    told = [
        (entry["what"], entry.get("text"))
        for entry in server.journal("user_wrote", "bot_sent", "bot_edited", "bot_deleted")
    ]
    assert told == [("user_wrote", "hello"), ("bot_sent", "one"), ("bot_edited", "two"), ("bot_deleted", "two")]
    assert [entry["seq"] for entry in server.journal()] == list(range(1, len(server.journal()) + 1))


# ---- webhooks ----------------------------------------------------------------------------------------------------


class Receiver:
    """A webhook that refuses as told and keeps what it took."""

    def __init__(self) -> None:
        self.refuse = 0
        self.got: list[tuple[str, int]] = []
        self.secrets: set[str | None] = set()

    async def take(self, request: web.Request) -> web.Response:
        self.secrets.add(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        update = await request.json()
        self.got.append((update["message"]["text"], update["update_id"]))
        return web.Response()

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                await asyncio.sleep(0.01)
        return [text for text, _ in self.got]


@pytest.fixture
async def receiver(server: FakeTelegram, ptb: Bot) -> AsyncIterator[Receiver]:
    taken = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taken.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await ptb.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="word")
    yield taken
    await ptb.delete_webhook()
    await runner.cleanup()


async def test_a_webhook_gets_updates_with_its_secret_until_it_takes_them(
    server: FakeTelegram, receiver: Receiver
) -> None:
    await receiver.until(1)
    receiver.refuse = 2
    server.say(7, "again and again")

    assert await receiver.until(2) == ["hello", "again and again"]
    assert receiver.secrets == {"word"}
    async with asyncio.timeout(60):
        while len(server.journal("webhook")) < 4:  # written when the answer has arrived, not when it was given
            await asyncio.sleep(0.01)
    assert [entry["status"] for entry in server.journal("webhook")] == [200, 503, 503, 200]


async def test_a_webhook_may_get_an_update_twice(server: FakeTelegram, receiver: Receiver) -> None:
    await receiver.until(1)
    server.fault("duplicate", method="webhook")
    server.say(7, "twice")

    await receiver.until(3)

    assert receiver.got[1] == receiver.got[2]


async def test_while_a_webhook_is_set_nobody_can_poll(receiver: Receiver, ptb: Bot) -> None:
    with pytest.raises(telegram.error.Conflict, match="webhook is active"):
        await ptb.get_updates(timeout=0)


# ---- as a process ------------------------------------------------------------------------------------------------


async def test_it_runs_as_a_process_that_others_drive_over_http() -> None:
    command = [sys.executable, "tests/fakes/telegram.py", "--port", "0", "--token", TOKEN, "--limits", "on"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 (only started)
        try:
            assert process.stdout is not None
            line = await asyncio.to_thread(process.stdout.readline)
            url = line.split(" listens on ")[1].split()[0]
            async with aiohttp.ClientSession(url) as client:
                said = await (await client.post("/_fake/say", json={"user": 7, "text": "hello"})).json()
                updates = await (await client.get(f"/bot{TOKEN}/getUpdates")).json()
                wrong = await client.post("/_fake/no_such_deed", json={})
                bad = await client.post("/_fake/fault", json={"kind": "no such fault"})
                chats = await (await client.get("/_fake/chats")).json()
                told = await (await client.get("/_fake/help")).json()
        finally:
            process.terminate()

    assert updates["result"][0]["update_id"] == said["result"]["update_id"]
    assert chats[0]["messages"][0]["text"] == "hello"
    assert (wrong.status, bad.status) == (400, 400)
    assert {"say", "press", "fault"} <= set(told["post"])
