"""What the Slack channel makes of what people do in Slack."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from parlour.store.ids import DeliveryId, TurnId, new_id
from parlour.turns.ports import Address, IncomingKind, NotSent, Post
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.slack import FakeSlack
from tests.integration.channels.contract import until
from tests.integration.channels.slack_support import Running, make_channel, running
from tests.support.manifest import read_manifest

ANA, BEN = "U0ANA", "U0BEN"
CHANNEL = "C0GENERAL"
MANIFEST = read_manifest(Path(__file__).parents[3] / "deploy" / "slack-manifest.yaml")


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        # What is acknowledged late is sent again, and a busy machine takes its time.
        server.do("timing", ack_timeout_s=30, retry_delays_s=[0.05, 0.1, 0.2, 0.4, 1.0])
        server.do("add_user", user=ANA, name="ana", locale="zh-CN")
        server.do("add_channel", channel=CHANNEL)
        # Nothing works here that the manifest does not ask for.
        settings, scopes = MANIFEST["settings"], MANIFEST["oauth_config"]["scopes"]["bot"]
        server.do("grant", scopes=scopes, events=settings["event_subscriptions"]["bot_events"])
        yield server


@pytest.fixture(params=["socket", "http"])
async def both(request: pytest.FixtureRequest, slack: FakeSlack) -> AsyncIterator[Running]:
    """The channel in each mode."""
    async with running(slack, make_channel(slack, mode=request.param)) as made:
        yield made


@pytest.fixture
async def http(slack: FakeSlack) -> AsyncIterator[Running]:
    """The channel in HTTP mode."""
    async with running(slack, make_channel(slack, mode="http")) as made:
        yield made


def mention(slack: FakeSlack, text: str, **options: Any) -> dict[str, Any]:
    return slack.say(ANA, f"<@{slack.bot_user_id}> {text}", channel=CHANNEL, **options)


# ---- who is addressed, and where ------------------------------------------------------------------------------------


async def test_a_direct_message_tells_who_wrote_in_which_language(both: Running) -> None:
    said = both.slack.say(ANA, "你好 &amp; <https://example.org|a page>")

    (incoming,) = await both.incoming()

    assert (incoming.sender.external_id, incoming.sender.name, incoming.sender.language) == (ANA, "Ana", "zh-CN")
    assert incoming.text == "你好 & a page (https://example.org)"
    assert (incoming.address.chat, incoming.address.thread, incoming.address.is_private) == (
        said["channel"],
        None,
        True,
    )


async def test_a_mention_makes_one_turn_in_a_thread_though_slack_tells_it_twice(both: Running) -> None:
    said = mention(both.slack, "what is up?")
    await both.quiet()

    assert len(both.intake.calls) == 2
    (incoming,) = both.intake.committed
    assert (incoming.text, incoming.is_addressed) == ("what is up?", True)
    assert (incoming.address.thread, incoming.address.is_private) == (said["ts"], False)
    assert {key: incoming.address.extra[key] for key in ("team", "user")} == {"team": both.slack.team, "user": ANA}


async def test_talk_among_people_is_not_addressed_and_nobody_is_looked_up(both: Running) -> None:
    both.slack.say(BEN, "lunch?", channel=CHANNEL)

    (incoming,) = await both.incoming()

    assert not incoming.is_addressed
    assert both.slack.calls("users.info") == []


async def test_replies_in_a_thread_that_the_assistant_is_in_are_addressed(both: Running) -> None:
    root = mention(both.slack, "hello")["ts"]
    await both.quiet()

    both.slack.say(BEN, "and me?", channel=CHANNEL, thread_ts=root)
    await both.quiet()

    assert [(one.text, one.is_addressed) for one in both.intake.committed] == [("hello", True), ("and me?", True)]
    assert both.slack.calls("conversations.replies") == []


async def test_after_a_restart_a_thread_is_read_once_to_know_whether_the_assistant_is_in_it(slack: FakeSlack) -> None:
    slack.do("grant", events=[])
    ours = mention(slack, "hello")["ts"]
    theirs = slack.say(BEN, "lunch?", channel=CHANNEL)["ts"]
    slack.do("grant", events=["message.channels", "app_mention"])

    async with running(slack, make_channel(slack)) as made:
        for root in (ours, theirs, ours):
            slack.say(BEN, "a reply", channel=CHANNEL, thread_ts=root)
            await made.quiet()

        assert [one.is_addressed for one in made.intake.committed] == [True, False, True]
        assert [call["ts"] for call in slack.calls("conversations.replies")] == [ours, theirs]


async def test_when_slack_cannot_be_asked_about_a_thread_the_event_comes_again(both: Running) -> None:
    root = both.slack.say(BEN, f"hey <@{both.slack.bot_user_id}>", channel=CHANNEL, bot_id="B0OTHER")["ts"]
    await both.quiet()
    both.slack.fault("reset", method="conversations.replies")
    both.slack.do("timing", ack_timeout_s=0.5)

    both.slack.say(BEN, "a reply", channel=CHANNEL, thread_ts=root)
    (incoming,) = await both.incoming()

    assert (incoming.text, incoming.is_addressed) == ("a reply", True)
    assert both.slack.journal("event_refused")


async def test_what_bots_write_is_nobodys_words(both: Running) -> None:
    both.slack.say("U0OTHERBOT", "I am a bot", bot_id="B0OTHER")
    both.slack.say("U0OTHERBOT", "me too", subtype="bot_message")
    both.slack.say(ANA, "ana joined", channel=CHANNEL, subtype="channel_join")
    await both.messenger.send(post(Address(chat=CHANNEL), "my own"))
    await both.quiet()

    assert both.intake.calls == []


async def test_a_message_in_a_group_message_needs_a_mention(both: Running) -> None:
    both.slack.do("add_channel", channel="G0MPIM", kind="mpim")
    both.slack.say(ANA, "hi all", channel="G0MPIM")
    both.slack.say(ANA, f"<@{both.slack.bot_user_id}> hi", channel="G0MPIM")
    await both.quiet()

    assert [one.is_addressed for one in both.intake.committed] == [False, True]


async def test_many_messages_at_once_are_committed_in_order_though_names_come_late(both: Running) -> None:
    both.slack.fault("slow", method="users.info", seconds=0.3)

    for number in range(30):
        both.slack.say(BEN, str(number))
    await both.quiet()

    assert [int(text) for text in both.intake.texts] == list(range(30))


async def test_a_name_that_slack_does_not_give_costs_no_message(both: Running) -> None:
    both.slack.fault("refuse", method="users.info", description="internal_error", times=None)

    both.slack.say(BEN, "hello")
    (incoming,) = await both.incoming()

    assert (incoming.sender.name, incoming.text) == (BEN, "hello")


# ---- edits, files, commands, feedback -------------------------------------------------------------------------------


async def test_an_edit_is_told_with_the_message_it_is_of(both: Running) -> None:
    said = both.slack.say(ANA, "one")
    both.slack.do("edit", channel=said["channel"], ts=said["ts"], text="two")

    _, edit = await both.incoming(2)

    assert (edit.kind, edit.text, edit.message_key) == (IncomingKind.EDIT, "two", said["ts"])
    assert edit.event_id != both.intake.committed[0].event_id
    assert edit.sent_at > both.intake.committed[0].sent_at


async def test_an_unfurled_link_is_no_edit(both: Running) -> None:
    said = both.slack.say(ANA, "https://example.org")
    both.slack.do("unfurl", channel=said["channel"], ts=said["ts"])
    await both.quiet()

    assert len(both.intake.calls) == 1


async def test_a_file_is_announced_and_fetched_with_the_token(both: Running) -> None:
    about = both.slack.do("add_file", name="plan.txt", content="the plan")
    both.slack.say(ANA, "see", files=[about["id"]])
    (incoming,) = await both.incoming()
    (attachment,) = incoming.attachments

    content = await both.messenger.fetch(attachment.reference, limit_bytes=100)

    assert (attachment.name, attachment.media_type, attachment.size) == ("plan.txt", "text/plain", 8)
    assert content == b"the plan"


@pytest.mark.parametrize("text", ["!help", "  !HELP  "])
async def test_a_word_behind_a_bang_is_a_command(both: Running, text: str) -> None:
    both.slack.say(ANA, text)

    (incoming,) = await both.incoming()

    assert (incoming.kind, incoming.text) == (IncomingKind.COMMAND, "help")


async def test_a_bang_before_another_word_is_just_text(both: Running) -> None:
    both.slack.say(ANA, "!wow that is nice")

    (incoming,) = await both.incoming()

    assert (incoming.kind, incoming.text) == (IncomingKind.MESSAGE, "!wow that is nice")


@pytest.mark.parametrize("channel", [None, CHANNEL])
async def test_a_slash_command_is_answered_in_the_direct_messages_wherever_it_was_typed(
    both: Running, channel: str | None
) -> None:
    direct = both.slack.say(ANA, "hi")["channel"]
    await both.incoming()

    answer = await asyncio.to_thread(
        both.slack.do, "command", user=ANA, command="/language", text="zh", channel=channel
    )

    command = (await both.incoming(2))[1]
    assert (command.kind, command.text, command.sender.name) == (IncomingKind.COMMAND, "language zh", "Ana")
    assert (command.address.chat, command.address.thread, command.address.is_private) == (direct, None, True)
    assert (answer["ok"], answer["answer"] or "") == (True, "")


async def test_a_command_that_cannot_be_stored_is_not_acknowledged(both: Running) -> None:
    both.slack.do("timing", ack_timeout_s=0.5)
    both.intake.go_down()

    answer = await asyncio.to_thread(both.slack.do, "command", user=ANA, command="/help")

    assert not answer["ok"]


@pytest.mark.parametrize("value", ["up", "down"])
async def test_a_pressed_thumb_rates_the_answer(both: Running, value: str) -> None:
    direct = both.slack.say(ANA, "hi")["channel"]
    await both.incoming()
    receipt = await both.messenger.send(post(Address(chat=direct), "answer", asks_feedback=True))

    answer = await asyncio.to_thread(
        both.slack.do, "press", user=ANA, channel=direct, ts=receipt.external_key, value=value
    )

    feedback = (await both.incoming(2))[1]
    assert (feedback.kind, feedback.text, feedback.message_key) == (IncomingKind.FEEDBACK, value, receipt.external_key)
    assert (feedback.address.chat, feedback.address.thread) == (direct, None)
    assert answer["ok"]


# ---- the assistant's pane -------------------------------------------------------------------------------------------


async def test_opening_the_pane_brings_prompts_and_a_greeting_in_the_persons_language(both: Running) -> None:
    opened = both.slack.do("open_assistant", user=ANA)
    await until(lambda: both.slack.texts(opened["channel"]), "the greeting is there")

    pane = both.slack.state()["assistant"][0]
    assert "您好" in both.slack.texts(opened["channel"])[0]
    assert [prompt["title"] for prompt in pane["prompts"]] == [
        "你能做什么？",
        "总结一段文字",
        "帮我写一条消息",
    ]
    assert both.intake.calls == []


async def test_the_pane_greets_once_though_told_twice(both: Running) -> None:
    opened = both.slack.do("open_assistant", user=ANA)
    await until(lambda: both.slack.texts(opened["channel"]), "the greeting is there")

    both.slack.do("redeliver", count=3)
    await both.quiet()

    assert len(both.slack.texts(opened["channel"])) == 1


async def test_what_is_said_in_the_pane_is_a_private_thread(both: Running) -> None:
    opened = both.slack.do("open_assistant", user=ANA)
    both.slack.say(ANA, "hi", thread_ts=opened["thread_ts"])

    (incoming,) = await both.incoming()

    assert (incoming.address.thread, incoming.address.is_private) == (opened["thread_ts"], True)


async def test_the_pane_says_that_an_answer_is_coming(both: Running) -> None:
    opened = both.slack.do("open_assistant", user=ANA)
    # Whatever is posted takes the status away, the greeting too.
    await until(lambda: both.slack.texts(opened["channel"]), "the greeting is there")
    both.slack.say(ANA, "hi", thread_ts=opened["thread_ts"])
    (incoming,) = await both.incoming()

    await both.messenger.typing(incoming.address, TurnId(new_id()))

    assert both.slack.state()["assistant"][0]["status"] == "正在思考……"


# ---- what is not Slack's --------------------------------------------------------------------------------------------


def signed_event(slack: FakeSlack, text: str, *, timestamp: int | None = None) -> tuple[bytes, dict[str, str]]:
    event = {
        "type": "message",
        "channel_type": "im",
        "channel": "D1",
        "user": ANA,
        "text": text,
        "ts": "1700000000.000100",
    }
    body = json.dumps({"type": "event_callback", "team_id": slack.team, "event": event}).encode()
    return body, {"Content-Type": "application/json"} | slack.sign(body, timestamp=timestamp)


async def request(http: Running, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.post(f"{http.url}/slack/events", content=body, headers=headers)


async def test_a_signed_event_is_taken(http: Running) -> None:
    answer = await request(http, *signed_event(http.slack, "hello"))

    assert (answer.status_code, http.intake.texts) == (200, ["hello"])


@pytest.mark.parametrize(
    "forge",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "é"},
        {"X-Slack-Request-Timestamp": "1"},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
async def test_a_forged_event_gets_401_and_no_work(http: Running, forge: dict[str, str]) -> None:
    body, headers = signed_event(http.slack, "forged")
    raw = [(name.encode(), value.encode()) for name, value in (headers | forge).items()]

    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(f"{http.url}/slack/events", content=body, headers=raw)

    assert answer.status_code == 401
    assert http.intake.calls == []


async def test_a_stale_event_gets_401_though_its_signature_is_right(http: Running) -> None:
    now = int(http.slack.journal()[0]["at"]) if http.slack.journal() else 1_700_000_000

    answer = await request(http, *signed_event(http.slack, "stale", timestamp=now - 301))

    assert (answer.status_code, http.intake.calls) == (401, [])


async def test_a_replayed_event_makes_no_second_turn(http: Running) -> None:
    body, headers = signed_event(http.slack, "once")

    statuses = [(await request(http, body, headers)).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert http.intake.texts == ["once"]


async def test_a_body_without_end_is_cut_off(http: Running) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(f"{http.url}/slack/events", content=endless())

    assert (answer.status_code, http.intake.calls) == (413, [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type": "event_callback"}', b"\xff", b"payload=%7B"])
async def test_nonsense_that_is_signed_is_no_crash_and_no_work(http: Running, body: bytes) -> None:
    headers = {"Content-Type": "application/json"} | http.slack.sign(body)

    answer = await request(http, body, headers)

    assert answer.status_code in {200, 400, 404}
    assert http.intake.calls == []


async def test_slacks_question_whether_the_address_is_right_is_answered(http: Running) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()

    answer = await request(http, body, {"Content-Type": "application/json"} | http.slack.sign(body))

    assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})


async def test_a_failed_commit_is_answered_with_503_so_that_slack_sends_again(http: Running) -> None:
    http.intake.go_down()

    answer = await request(http, *signed_event(http.slack, "hello"))

    assert answer.status_code == 503


async def test_a_signed_command_of_an_unknown_workspace_is_acknowledged_and_dropped(http: Running) -> None:
    body = urlencode({"command": "/help", "team_id": "T404", "user_id": ANA, "trigger_id": "1"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | http.slack.sign(body)

    answer = await request(http, body, headers)

    assert (answer.status_code, http.intake.calls) == (200, [])


async def test_an_unknown_kind_of_event_is_acknowledged_and_dropped(both: Running) -> None:
    both.slack.do("unknown_event")
    await both.quiet()

    assert both.intake.calls == []
    assert both.slack.journal("event_refused") == []


# ---- outages --------------------------------------------------------------------------------------------------------


async def test_events_of_an_outage_are_taken_in_when_slack_is_back(slack: FakeSlack) -> None:
    async with running(slack, make_channel(slack)) as made:
        slack.fault("down", times=None)
        slack.say(ANA, "are you there?")
        await until(lambda: len(slack.journal("fault")) >= 1, "a try to reconnect")
        slack.heal()

        (incoming,) = await made.incoming()

        assert incoming.text == "are you there?"


async def test_no_event_is_lost_when_slack_replaces_the_socket(slack: FakeSlack) -> None:
    async with running(slack, make_channel(slack)) as made:
        slack.say(ANA, "one")
        slack.do("disconnect")
        slack.say(ANA, "two")
        await until(lambda: len(slack.journal("socket_opened")) >= 2, "the new socket")
        slack.say(ANA, "three")
        await made.incoming(3)

        assert sorted(made.intake.texts) == ["one", "three", "two"]


async def test_events_that_come_twice_at_once_are_one(slack: FakeSlack) -> None:
    async with running(slack, make_channel(slack)) as made:
        slack.fault("duplicate", method="event", times=5)
        for number in range(5):
            slack.say(ANA, str(number))
        await made.quiet()

        assert len(made.intake.calls) == 10
        assert made.intake.texts == ["0", "1", "2", "3", "4"]


async def test_slack_that_cannot_be_reached_at_start_is_told_as_such(slack: FakeSlack) -> None:
    channel = make_channel(slack)
    slack.stop()

    with pytest.raises(NotSent):
        await channel.open(FakeIntake(), FakeAccounts())

    await channel.close()


# ---- discretion -----------------------------------------------------------------------------------------------------


async def test_neither_content_nor_token_is_logged_even_when_everything_fails(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """G7, with all loggers turned up as far as they go."""
    caplog.set_level(logging.DEBUG)
    async with running(slack, make_channel(slack)) as made:
        made.intake.fail(2, error=RuntimeError("MARKER-IN-ERROR"))
        slack.do("timing", ack_timeout_s=0.2)
        slack.say(ANA, "MARKER-IN-MESSAGE")
        await made.incoming()
        slack.fault("refuse", method="chat.postMessage", description="fatal_error")
        with pytest.raises(Exception, match="fatal_error"):
            await made.messenger.send(post(Address(chat=CHANNEL), "MARKER-IN-ANSWER"))
        slack.fault("error_before", method="socket")
        slack.do("cut")
        slack.say(ANA, "MARKER-TWO")
        await made.incoming(2)

    ours = [record for record in caplog.records if not record.name.startswith(("aiohttp.access", "asyncio"))]
    written = "\n".join(record.getMessage() + str(record.exc_text or "") for record in ours) + "".join(
        capfd.readouterr()
    )
    assert "MARKER" not in written
    assert slack.bot_token not in written
    assert slack.app_token not in written
    assert "ticket" not in written


def post(address: Address, text: str, **options: Any) -> Post:
    delivery_id = DeliveryId(new_id())
    return Post(f"{delivery_id}:0", delivery_id, TurnId(new_id()), address, text, **options)
