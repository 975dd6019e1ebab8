"""The Telegram channel against the fake Bot API server, over real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from parlour.channels import telegram_text
from parlour.channels.protocol import Channel
from parlour.channels.telegram import TelegramChannel
from parlour.privacy.errors import KeysUnavailable
from parlour.store.ids import TurnId, new_id
from parlour.turns.ports import (
    Address,
    CredentialsRejected,
    DraftLost,
    DraftStyle,
    IncomingKind,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
    draft_number,
)
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.telegram import FakeTelegram
from tests.integration.channels.contract import ChannelContract, make_post, until
from tests.integration.channels.rich_contract import RichHarness

PERSON = 7
GROUP = -100_500
COMMANDS = [("help", "What I can do", "我能做什么"), ("stop", "Stop", "停止")]


class TelegramHarness(RichHarness):
    def __init__(
        self, telegram: FakeTelegram, channel: TelegramChannel, intake: FakeIntake, accounts: FakeAccounts
    ) -> None:
        self.telegram = telegram
        self.channel = channel
        self.intake = intake
        self.accounts = accounts

    @property
    def address(self) -> Address:
        return Address(chat=str(PERSON))

    @property
    def group_address(self) -> Address:
        return Address(chat=str(GROUP), is_private=False)

    async def say(self, text: str) -> str:
        return str(self.telegram.say(PERSON, text)["message_id"])

    def unacknowledged(self) -> int:
        return len(self.telegram.state()["pending"])

    async def redeliver(self) -> None:
        self.telegram.do("redeliver", count=1)

    def texts(self, address: Address) -> list[str]:
        return self.telegram.texts(int(address.chat))

    def visible(self, part: str) -> str:
        return telegram_text.render(part).text

    def size(self, part: str) -> tuple[int, int]:
        return telegram_text.units(telegram_text.render(part).text), 4_096

    def throttle_next(self, retry_after_s: int) -> None:
        self.telegram.fault("throttle", method="sendMessage", retry_after=retry_after_s)

    def lose_next_answer(self) -> None:
        self.telegram.fault("lose", method="sendMessage")

    def lose_next_request(self) -> None:
        self.telegram.fault("reset", method="sendMessage")

    def files(self, address: Address) -> list[tuple[str, bytes]]:
        found = self.telegram.files(int(address.chat))
        return [(message.get("caption") or message["document"]["file_name"], content) for message, content in found]

    def lose_next_file_answer(self) -> None:
        self.telegram.fault("lose", method="sendPhoto")

    def lose_next_file_request(self) -> None:
        self.telegram.fault("reset", method="sendPhoto")

    def refuse_files(self) -> None:
        for method in ("sendPhoto", "sendDocument"):
            self.telegram.fault("refuse", method=method, description="Bad Request: file is too big", status=400)

    @property
    def place(self) -> Address:
        return self.group_address

    def thread_of(self, address: Address, key: str) -> str | None:
        (message,) = [one for one in self.telegram.messages(int(address.chat)) if str(one["message_id"]) == key]
        return str(message["reply_to_message"]["message_id"])

    async def answer(self, address: Address, key: str, text: str) -> None:
        self.telegram.say(PERSON, text, chat=int(address.chat), reply_to=int(key))

    async def choose(self, address: Address, key: str, label: str) -> None:
        chat = int(address.chat)
        (message,) = [one for one in self.telegram.messages(chat) if str(one["message_id"]) == key]
        labels = [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]
        self.telegram.do("press", user=PERSON, chat=chat, message_id=int(key), button=labels.index(label))

    def vanish(self) -> None:
        self.telegram.stop()

    def with_bad_credentials(self) -> Channel:
        return TelegramChannel("123456:wrong", base_url=self.telegram.base_url)


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        server.do("group", chat=GROUP)
        yield server


@pytest.fixture
async def harness(telegram: FakeTelegram) -> AsyncIterator[TelegramHarness]:
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url, commands=COMMANDS)
    intake, accounts = FakeIntake(), FakeAccounts()
    await channel.open(intake, accounts)
    # The person has opened the chat: a bot cannot write first.
    telegram.do("meet", user=PERSON)
    receiving = asyncio.create_task(channel.receive())
    yield TelegramHarness(telegram, channel, intake, accounts)
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    await channel.close()


class TestTelegramContract(ChannelContract):
    """What every messenger must do."""


# ---- opening ----------------------------------------------------------------------------------------------------


async def test_opening_registers_the_bot_and_its_commands_in_two_languages(
    harness: TelegramHarness, telegram: FakeTelegram
) -> None:
    english = await call(telegram, "getMyCommands")
    chinese = await call(telegram, "getMyCommands", language_code="zh")

    assert harness.accounts.list("telegram") == [(harness.messenger.account_id, "parlour_bot")]
    assert english == [{"command": name, "description": text} for name, text, _ in COMMANDS]
    assert chinese == [{"command": name, "description": text} for name, _, text in COMMANDS]


async def test_opening_without_a_server_is_not_sent_and_leaves_nothing_open() -> None:
    channel = TelegramChannel("123456:any", base_url="http://127.0.0.1:9/bot")

    with pytest.raises(NotSent):
        await channel.open(FakeIntake(), FakeAccounts())

    assert channel.messengers() == []


async def test_commands_that_cannot_be_registered_are_no_reason_not_to_start(telegram: FakeTelegram) -> None:
    telegram.fault("error_before", method="setMyCommands", times=None)
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url, commands=COMMANDS)

    await channel.open(FakeIntake(), FakeAccounts())

    assert len(channel.messengers()) == 1
    await channel.close()


async def test_polling_takes_a_webhook_out_of_its_way_without_losing_what_waits(telegram: FakeTelegram) -> None:
    await call(telegram, "setWebhook", url="http://127.0.0.1:9/nobody")
    telegram.say(PERSON, "I waited")
    intake = FakeIntake()

    async with receiving(telegram, intake):
        await until(lambda: intake.texts == ["I waited"], "what waited is taken in")


# ---- taking in --------------------------------------------------------------------------------------------------


async def test_what_was_written_while_nobody_was_there_is_taken_in_later(telegram: FakeTelegram) -> None:
    for number in range(250):
        telegram.say(PERSON, f"message {number}", age_s=86_400)
    intake = FakeIntake()

    async with receiving(telegram, intake):
        await until(lambda: len(intake.committed) == 250, "all are taken in")

    assert intake.texts == [f"message {number}" for number in range(250)]


async def test_updates_that_come_in_another_order_are_committed_in_theirs(harness: TelegramHarness) -> None:
    harness.telegram.fault("reorder", method="getUpdates", times=None)
    harness.intake.go_down()  # holds the loop, so that the rest come in one batch
    harness.telegram.say(PERSON, "first")
    await until(lambda: harness.intake.calls, "the first is tried")
    for number in range(30):
        harness.telegram.say(PERSON, str(number))

    harness.intake.come_back()
    await until(lambda: len(harness.intake.committed) == 31, "all are committed")

    assert harness.intake.texts == ["first", *map(str, range(30))]


async def test_an_unknown_or_malformed_update_blocks_nothing(harness: TelegramHarness) -> None:
    harness.telegram.do("update", kind="a_kind_of_next_year", payload={"x": 1})
    harness.telegram.do("update", kind="message", payload={"chat": "nonsense"})
    harness.telegram.do("update", kind="message", payload=None)
    harness.telegram.do("update", kind="callback_query", payload=[1, 2])
    harness.telegram.say(PERSON, "after them")

    await until(lambda: harness.intake.texts == ["after them"], "the good one is taken in")
    await until(lambda: harness.unacknowledged() == 0, "and the bad ones are confirmed")


async def test_a_message_that_trips_over_a_fault_of_ours_is_given_up_and_the_next_is_taken(
    harness: TelegramHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.intake.fail(5, error=ValueError("secret-content-in-an-exception"))
    harness.telegram.say(PERSON, "poisoned")
    harness.telegram.say(PERSON, "healthy")

    await until(lambda: harness.intake.texts == ["healthy"], "the next one is taken in")

    assert "secret-content" not in "".join(capsys.readouterr())


async def test_a_message_waits_however_long_the_key_provider_is_away(harness: TelegramHarness) -> None:
    harness.intake.fail(7, error=KeysUnavailable("sealed"))
    harness.telegram.say(PERSON, "patient")

    await until(lambda: harness.intake.texts == ["patient"], "it is taken in", deadline_s=60)


async def test_polling_survives_everything_a_server_does(harness: TelegramHarness) -> None:
    for fault in ("error_before", "lose", "reset", "error_after"):
        harness.telegram.fault(fault, method="getUpdates")
    harness.telegram.fault("throttle", method="getUpdates", retry_after=1)
    harness.telegram.say(PERSON, "through all of it")

    await until(lambda: harness.intake.texts == ["through all of it"], "it is taken in", deadline_s=60)


async def test_a_token_that_is_revoked_is_noted_with_the_account(telegram: FakeTelegram) -> None:
    accounts = FakeAccounts()
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url)
    await channel.open(FakeIntake(), accounts)
    telegram.do("revoke")

    task = asyncio.create_task(channel.receive())
    await until(lambda: accounts.rejected, "the account is marked")

    assert accounts.rejected == [channel.messengers()[0].account_id]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await channel.close()


async def test_how_far_it_got_is_noted_with_the_account(harness: TelegramHarness) -> None:
    update_id = harness.telegram.say(PERSON, "hi")["update_id"]

    await until(lambda: harness.accounts.cursors.get(harness.messenger.account_id) == update_id, "the cursor moves")


async def test_the_stop_button_of_a_draft_stops_its_turn(harness: TelegramHarness) -> None:
    turn_id = TurnId(new_id())
    await harness.messenger.draft(harness.address, turn_id, "Once upon", key=None, reply_to=None)
    (draft,) = harness.telegram.drafts(PERSON)

    harness.telegram.do("stop", user=PERSON, draft_id=draft["draft_id"])
    await until(lambda: harness.intake.committed, "the stop is taken in")

    assert draft["can_stop"]
    (stop,) = harness.intake.committed
    assert (stop.kind, stop.text) == (IncomingKind.STOP, str(draft_number(turn_id)))


async def test_a_thumb_is_committed_and_then_thanked_for(harness: TelegramHarness) -> None:
    harness.telegram.do("meet", user=PERSON, language="zh-hans")
    receipt = await harness.messenger.send(replace(make_post(harness.address, "Paris."), asks_feedback=True))

    harness.telegram.do("press", user=PERSON, message_id=int(receipt.external_key), button=1)
    await until(lambda: harness.telegram.journal("callback_answered"), "the press is answered")

    (rated,) = harness.intake.committed
    assert (rated.kind, rated.text, rated.message_key) == (IncomingKind.FEEDBACK, "down", receipt.external_key)
    assert harness.telegram.journal("callback_answered")[0]["text"] == "谢谢！"


# ---- webhook ----------------------------------------------------------------------------------------------------

SECRET = "a-long-random-word"


@pytest.fixture
async def webhook(telegram: FakeTelegram) -> AsyncIterator[tuple[TelegramChannel, FakeIntake, httpx.AsyncClient]]:
    channel = TelegramChannel(telegram.token, mode="webhook", webhook_secret=SECRET, base_url=telegram.base_url)
    intake = FakeIntake()
    await channel.open(intake, FakeAccounts())
    transport = httpx.ASGITransport(app=Starlette(routes=list(channel.routes())))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield channel, intake, client
    await channel.close()


def update_of(text: str, update_id: int = 1) -> dict[str, Any]:
    person = {"id": PERSON, "is_bot": False, "first_name": "Anna"}
    chat = {"id": PERSON, "type": "private"}
    return {"update_id": update_id, "message": {"message_id": 1, "from": person, "chat": chat, "date": 1, "text": text}}


async def push(client: httpx.AsyncClient, body: Any, secret: str | None = SECRET) -> int:
    headers = {} if secret is None else {b"X-Telegram-Bot-Api-Secret-Token": secret.encode("latin-1")}
    as_json = {"json": body} if not isinstance(body, bytes) else {"content": body}
    return (await client.post("/telegram/webhook", headers=headers, **as_json)).status_code


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], "\xff\xfe"])
async def test_a_webhook_call_without_the_secret_does_nothing(webhook: Any, secret: str | None) -> None:
    _, intake, client = webhook

    assert await push(client, update_of("forged"), secret) == 401
    assert intake.calls == []


async def test_a_webhook_call_is_answered_after_the_commit(webhook: Any) -> None:
    _, intake, client = webhook

    assert await push(client, update_of("hello")) == 200
    assert intake.texts == ["hello"]


async def test_a_webhook_call_that_could_not_be_committed_is_refused_so_that_it_comes_again(webhook: Any) -> None:
    _, intake, client = webhook
    intake.fail()

    assert await push(client, update_of("hello")) == 503
    assert await push(client, update_of("hello")) == 200
    assert intake.texts == ["hello"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"not json", 400), (b"[1]", 400), (b'{"a": "' + b"x" * 1_100_000 + b'"}', 413)]
)
async def test_nonsense_at_the_webhook_is_refused(webhook: Any, body: bytes, status: int) -> None:
    _, intake, client = webhook

    assert await push(client, body) == status
    assert intake.calls == []


async def test_an_update_that_will_never_be_readable_is_not_asked_for_again(webhook: Any) -> None:
    _, intake, client = webhook

    assert await push(client, {"update_id": 3, "message": {"chat": None}}) == 200
    assert await push(client, {"update_id": 4, "something_new": {}}) == 200
    assert intake.calls == []


async def test_a_webhook_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="webhook_secret"):
        TelegramChannel("123456:x", mode="webhook")


async def test_the_webhook_is_set_with_its_secret_when_its_address_is_known(telegram: FakeTelegram) -> None:
    channel = TelegramChannel(
        telegram.token,
        mode="webhook",
        webhook_secret=SECRET,
        webhook_url="http://127.0.0.1:9/x",
        base_url=telegram.base_url,
    )

    await channel.open(FakeIntake(), FakeAccounts())

    assert (await call(telegram, "getWebhookInfo"))["url"] == "http://127.0.0.1:9/x"
    await channel.close()


async def test_polling_has_no_routes(harness: TelegramHarness) -> None:
    assert list(harness.channel.routes()) == []


# ---- posting ----------------------------------------------------------------------------------------------------


async def test_in_a_group_an_answer_quotes_the_question_and_stays_in_its_topic(harness: TelegramHarness) -> None:
    harness.telegram.do("group", chat=-42, is_forum=True, topics=[5])
    question = harness.telegram.say(PERSON, "@parlour_bot hi", chat=-42, thread=5)["message_id"]
    await until(lambda: harness.intake.committed, "the question is taken in")
    address = harness.intake.committed[0].address

    await harness.messenger.send(make_post(address, "Hello", reply_to=str(question)))
    await harness.messenger.typing(address, TurnId(new_id()))

    (answer,) = harness.telegram.messages(-42)
    assert answer["message_thread_id"] == 5
    assert answer["reply_to_message"]["message_id"] == question
    assert harness.telegram.journal("action")[0]["thread"] == 5


async def test_in_private_an_answer_quotes_nothing(harness: TelegramHarness) -> None:
    question = await harness.say("hi")

    await harness.messenger.send(make_post(harness.address, "Hello", reply_to=question))

    assert "reply_to_message" not in harness.telegram.messages(PERSON)[0]


async def test_formatting_that_telegram_refuses_does_not_cost_the_answer(harness: TelegramHarness) -> None:
    harness.telegram.fault("refuse", method="sendMessage", description="can't parse entities: unsupported")

    await harness.messenger.send(make_post(harness.address, "**bold** words"))

    (message,) = harness.telegram.messages(PERSON)
    assert (message["text"], message.get("entities")) == ("bold words", None)


@pytest.mark.parametrize(
    ("reason", "code"),
    [("chat not found", "chat_not_found"), ("message thread not found", "thread_gone"), ("odd", "http_400")],
)
async def test_what_telegram_will_never_take_is_rejected_with_a_word(
    harness: TelegramHarness, reason: str, code: str
) -> None:
    harness.telegram.fault("refuse", method="sendMessage", description=reason)

    with pytest.raises(Rejected) as raised:
        await harness.messenger.send(make_post(harness.address, "hi"))

    assert raised.value.code == code


async def test_a_person_who_blocked_the_bot_is_told_apart(harness: TelegramHarness) -> None:
    harness.telegram.do("block", chat=PERSON)

    with pytest.raises(Rejected, match="forbidden"):
        await harness.messenger.send(make_post(harness.address, "hi"))


async def test_a_group_that_moved_is_followed(harness: TelegramHarness) -> None:
    harness.telegram.do("migrate", chat=GROUP, to=-100_777)

    await harness.messenger.send(make_post(harness.group_address, "one"))
    await harness.messenger.send(make_post(harness.group_address, "two"))

    assert harness.telegram.texts(-100_777) == ["one", "two"]


async def test_a_revoked_token_is_told_with_the_setting(harness: TelegramHarness) -> None:
    harness.telegram.do("revoke")

    with pytest.raises(CredentialsRejected, match=r"telegram\.token"):
        await harness.messenger.send(make_post(harness.address, "hi"))


@pytest.mark.parametrize("fault", ["lose", "reset", "error_before", "error_after"])
async def test_without_a_clear_answer_a_new_message_is_unknown_and_an_edit_can_be_repeated(
    harness: TelegramHarness, fault: Any
) -> None:
    sent = await harness.messenger.send(make_post(harness.address, "first"))
    harness.telegram.fault(fault, method="sendMessage")
    harness.telegram.fault(fault, method="editMessageText")
    edit = replace(make_post(harness.address, "changed"), draft_key=sent.external_key)

    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(make_post(harness.address, "second"))
    with pytest.raises(NotSent):
        await harness.messenger.send(edit)
    await harness.messenger.send(edit)

    assert harness.telegram.texts(PERSON)[0] == "changed"


async def test_an_answer_that_takes_too_long_is_unknown(telegram: FakeTelegram) -> None:
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url, timeout_s=5)
    await channel.open(FakeIntake(), FakeAccounts())
    telegram.do("meet", user=PERSON)
    telegram.fault("slow", method="sendMessage", seconds=30)

    with pytest.raises(OutcomeUnknown):
        await channel.messengers()[0].send(make_post(Address(chat=str(PERSON)), "hi"))

    await channel.close()


async def test_a_throttled_edit_says_for_how_long(harness: TelegramHarness) -> None:
    sent = await harness.messenger.send(make_post(harness.address, "first"))
    harness.telegram.fault("throttle", method="editMessageText", retry_after=260)

    with pytest.raises(Throttled) as raised:
        await harness.messenger.send(replace(make_post(harness.address, "changed"), draft_key=sent.external_key))

    assert (raised.value.retry_after_s, raised.value.scope) == (260, "chat")


async def test_a_draft_that_was_deleted_is_lost(harness: TelegramHarness) -> None:
    key = await harness.messenger.draft(harness.group_address, TurnId(new_id()), "So f", key=None, reply_to=None)
    harness.telegram.do("delete", chat=GROUP, message_id=int(key or 0))

    with pytest.raises(DraftLost):
        await harness.messenger.send(replace(make_post(harness.group_address, "So far"), draft_key=key))


async def test_a_long_draft_shows_its_end_where_it_vanishes_and_its_beginning_where_it_stays(
    harness: TelegramHarness,
) -> None:
    text = "begin " + "middle " * 1_500 + "end"

    await harness.messenger.draft(harness.address, TurnId(new_id()), text, key=None, reply_to=None)
    await harness.messenger.draft(harness.group_address, TurnId(new_id()), text, key=None, reply_to=None)

    assert harness.telegram.drafts(PERSON)[0]["text"].endswith("end")
    assert harness.telegram.texts(GROUP)[0].startswith("begin")


async def test_a_server_without_drafts_is_asked_once(harness: TelegramHarness) -> None:
    harness.telegram.do("forget_method", name="sendMessageDraft")

    with pytest.raises(Rejected):
        await harness.messenger.draft(harness.address, TurnId(new_id()), "So", key=None, reply_to=None)

    assert harness.messenger.draft_style(harness.address) is DraftStyle.NONE


async def test_the_limits_are_telegrams_only_where_telegram_is(harness: TelegramHarness) -> None:
    public = TelegramChannel("123456:x")._base_url

    assert harness.messenger.limits(harness.address).chat_per_s == 0
    assert public == "https://api.telegram.org/bot"


# ---- files ------------------------------------------------------------------------------------------------------


async def file_reference(harness: TelegramHarness, **options: Any) -> str:
    harness.telegram.do("send_file", user=PERSON, caption="look", **options)
    await until(lambda: harness.intake.committed, "the file is announced")
    return harness.intake.committed[-1].attachments[0].reference


async def test_a_file_is_fetched(harness: TelegramHarness) -> None:
    reference = await file_reference(harness, content="what is in it")

    assert harness.intake.committed[0].text == "look"
    assert await harness.messenger.fetch(reference, limit_bytes=100) == b"what is in it"


async def test_a_file_past_the_limit_is_refused(harness: TelegramHarness) -> None:
    reference = await file_reference(harness, content="x" * 101)

    with pytest.raises(Rejected, match="too_large"):
        await harness.messenger.fetch(reference, limit_bytes=100)


async def test_a_file_that_is_gone_is_rejected_and_one_out_of_reach_is_not(harness: TelegramHarness) -> None:
    reference = await file_reference(harness)
    harness.telegram.fault("reset", method="downloadFile")

    with pytest.raises(NotSent):
        await harness.messenger.fetch(reference, limit_bytes=100)
    with pytest.raises(Rejected, match="file_gone"):
        await harness.messenger.fetch("no-such-file", limit_bytes=100)


# ---- secrets ----------------------------------------------------------------------------------------------------


async def test_neither_token_nor_text_is_ever_logged(
    telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """httpx logs addresses at INFO, and Telegram's have the token in them; python-telegram-bot logs texts at DEBUG."""
    caplog.set_level(logging.DEBUG)
    intake = FakeIntake()
    async with receiving(telegram, intake) as channel:
        telegram.say(PERSON, "marker-incoming")
        await until(lambda: intake.committed, "it is taken in")
        messenger = channel.messengers()[0]
        await messenger.send(make_post(Address(chat=str(PERSON)), "marker-outgoing"))
        for fault in ("throttle", "refuse", "error_before", "lose"):
            telegram.fault(fault, method="sendMessage")
            with pytest.raises((Throttled, Rejected, OutcomeUnknown)) as raised:
                await messenger.send(make_post(Address(chat=str(PERSON)), "marker-outgoing"))
            assert telegram.token not in repr(raised.value)
            assert raised.value.__suppress_context__
        telegram.do("revoke")
        with pytest.raises(CredentialsRejected):
            await messenger.send(make_post(Address(chat=str(PERSON)), "marker-outgoing"))

    said = caplog.text + "".join(capsys.readouterr())
    assert telegram.token not in said
    assert "marker" not in said


# ---- shared -----------------------------------------------------------------------------------------------------


async def call(telegram: FakeTelegram, method: str, **params: Any) -> Any:
    """A Bot API method, plainly."""
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{telegram.base_url}{telegram.token}/{method}", json=params)
    return answer.json()["result"]


@asynccontextmanager
async def receiving(telegram: FakeTelegram, intake: FakeIntake) -> AsyncIterator[TelegramChannel]:
    """A channel that receives while the block runs."""
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url)
    await channel.open(intake, FakeAccounts())
    task = asyncio.create_task(channel.receive())
    try:
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.close()
