"""Posting to Slack: streams, edits, limits, lost answers, errors."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from parlour.channels.slack_api import SlackApi, session
from parlour.channels.slack_messenger import SlackMessenger
from parlour.store.ids import AccountId, TurnId, new_id
from parlour.turns.ports import (
    Address,
    CredentialsRejected,
    DraftLost,
    Messenger,
    NotSent,
    OutcomeUnknown,
    Receipt,
    Rejected,
    Throttled,
)
from tests.fakes.slack import FakeSlack
from tests.integration.channels.contract import make_post, settle

PERSON, CHANNEL = "U0PERSON", "C0GENERAL"


class Ticks:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        server.do("add_channel", channel=CHANNEL)
        yield server


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
async def messenger(slack: FakeSlack, ticks: Ticks) -> AsyncIterator[SlackMessenger]:
    async with session(60.0) as http:
        yield make_messenger(slack, http, ticks)


def make_messenger(slack: FakeSlack, http: Any, ticks: Ticks) -> SlackMessenger:
    api = SlackApi(slack.bot_token, http, base_url=slack.base_url)
    return SlackMessenger(AccountId(new_id()), api, bot_user_id=slack.bot_user_id, settle_after_s=5.0, monotonic=ticks)


@pytest.fixture
def direct(slack: FakeSlack) -> Address:
    return Address(chat=slack.say(PERSON, "hi")["channel"])


@pytest.fixture
def thread(slack: FakeSlack) -> Address:
    root = slack.say(PERSON, "a question", channel=CHANNEL)["ts"]
    return Address(CHANNEL, thread=root, is_private=False, extra={"team": slack.team, "user": PERSON})


async def drafted(messenger: Messenger, address: Address, *texts: str) -> tuple[str, TurnId]:
    """A draft that has shown all `texts`, one after another."""
    turn_id, key = TurnId(new_id()), None
    for text in texts:
        key = await messenger.draft(address, turn_id, text, key=key, reply_to=None)
    assert key is not None
    return key, turn_id


def methods(slack: FakeSlack) -> list[str]:
    return [entry["method"] for entry in slack.journal("called")]


# ---- answers --------------------------------------------------------------------------------------------------------


async def test_an_answer_is_markdown_with_a_fallback_and_asks_for_feedback_in_its_language(
    slack: FakeSlack, messenger: Messenger, direct: Address
) -> None:
    await messenger.send(replace(make_post(direct, "**Hi** <you>"), asks_feedback=True, language="zh"))

    (message,) = slack.messages(direct.chat)
    (buttons,) = message["blocks"][1]["elements"]
    assert message["blocks"][0] == {"type": "markdown", "text": "**Hi** <you>"}
    assert message["text"] == "**Hi** &lt;you&gt;"
    assert buttons["positive_button"]["text"]["text"] == "回答得好"
    assert buttons["negative_button"]["value"] == "down"


async def test_an_answer_in_a_thread_stays_in_the_thread(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    await messenger.send(make_post(thread, "Hi"))

    assert slack.messages(CHANNEL)[0]["thread_ts"] == thread.thread


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <!here> <!everyone|all>",
        "<!subteam^S123|@team>",
        "<@U0PERSON> and <@W0PERSON|her>",
        "@channel, @here and (@everyone)",
        "`<!channel>` and\n```\n@here <@U0PERSON>\n```",
        "<!\x00channel> @\x07here",
    ],
)
async def test_nothing_a_model_writes_rings_a_phone(
    slack: FakeSlack, messenger: Messenger, thread: Address, direct: Address, text: str
) -> None:
    key, turn_id = await drafted(messenger, thread, *(text[:length] for length in range(1, len(text) + 1)))
    await messenger.send(replace(make_post(thread, text), turn_id=turn_id, draft_key=key))
    key, turn_id = await drafted(messenger, direct, text[:3], text)
    await messenger.send(replace(make_post(direct, text), turn_id=turn_id, draft_key=key))
    await messenger.send(make_post(direct, text))

    assert [entry["pings"] for entry in slack.journal() if entry.get("pings")] == []


async def test_what_only_looks_like_a_ping_is_left_as_it_is(
    slack: FakeSlack, messenger: Messenger, direct: Address
) -> None:
    text = "<!DOCTYPE html> mail me@here.example, a <@ b, @channels"

    await messenger.send(make_post(direct, text))

    assert slack.texts(direct.chat) == [text]


# ---- streams --------------------------------------------------------------------------------------------------------


async def test_in_a_thread_an_answer_is_streamed_and_each_piece_is_sent_once(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    key, turn_id = await drafted(messenger, thread, "Once", "Once upon", "Once upon a time")
    post = replace(make_post(thread, "Once upon a time. The end."), turn_id=turn_id, draft_key=key, asks_feedback=True)

    receipt = await messenger.send(post)

    assert receipt == Receipt(key)
    assert methods(slack) == ["chat.startStream", "chat.appendStream", "chat.appendStream", "chat.stopStream"]
    assert [entry["piece"] for entry in slack.journal("appended")] == [" upon", " a time"]
    (message,) = slack.messages(CHANNEL)
    assert slack.texts(CHANNEL) == ["Once upon a time. The end."]
    assert [block["type"] for block in message["blocks"]] == ["markdown", "context_actions"]
    assert message["metadata"]["event_payload"] == {"key": post.key}


async def test_where_no_thread_is_a_message_is_edited(slack: FakeSlack, messenger: Messenger, direct: Address) -> None:
    key, turn_id = await drafted(messenger, direct, "Once", "Once upon")

    await messenger.send(replace(make_post(direct, "Once upon a time."), turn_id=turn_id, draft_key=key))

    assert methods(slack) == ["chat.postMessage", "chat.update", "chat.update"]
    assert slack.texts(direct.chat) == ["Once upon a time."]


async def test_a_text_that_changes_its_beginning_is_edited_in(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    key, turn_id = await drafted(messenger, thread, "Twice upon", "Once upon", "Once upon a")

    await messenger.send(replace(make_post(thread, "Once upon a time."), turn_id=turn_id, draft_key=key))

    assert slack.texts(CHANNEL) == ["Once upon a time."]
    assert slack.state()["streams"] == []


async def test_a_stream_that_slack_closed_is_edited(slack: FakeSlack, messenger: Messenger, thread: Address) -> None:
    key, turn_id = await drafted(messenger, thread, "Once")
    slack.do("idle")
    await messenger.draft(thread, turn_id, "Once upon", key=key, reply_to=None)

    assert slack.texts(CHANNEL) == ["Once upon"]


async def test_a_stream_that_slack_closed_before_the_end_is_edited(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    key, turn_id = await drafted(messenger, thread, "Once")
    slack.do("idle")

    await messenger.send(replace(make_post(thread, "Once upon a time."), turn_id=turn_id, draft_key=key))

    assert slack.texts(CHANNEL) == ["Once upon a time."]


async def test_a_stream_of_a_process_that_died_is_ended_by_the_next(
    slack: FakeSlack, messenger: SlackMessenger, thread: Address, ticks: Ticks
) -> None:
    key, turn_id = await drafted(messenger, thread, "Once upo")
    successor = make_messenger(slack, messenger._api._session, ticks)
    post = replace(make_post(thread, "Once upon a time."), turn_id=turn_id, draft_key=key)

    receipt = await successor.send(post)

    assert receipt == Receipt(key)
    assert slack.texts(CHANNEL) == ["Once upon a time."]
    assert slack.state()["streams"] == []


@pytest.mark.parametrize("fault", ["lose", "reset", "error_after", "error_before"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream", "chat.update"])
async def test_a_lost_answer_to_a_piece_or_the_end_says_nothing_twice(
    slack: FakeSlack, messenger: Messenger, thread: Address, method: str, fault: Any
) -> None:
    texts = ["Twice", "Once"] if method == "chat.update" else ["Once"]
    key, turn_id = await drafted(messenger, thread, *texts)
    slack.fault(fault, method=method)
    post = replace(make_post(thread, "Once upon a time."), turn_id=turn_id, draft_key=key)
    if method == "chat.appendStream":
        with pytest.raises(NotSent):
            await messenger.draft(thread, turn_id, "Once upon", key=key, reply_to=None)
    else:
        with pytest.raises(NotSent):
            await messenger.send(post)

    await messenger.send(post)

    assert slack.texts(CHANNEL) == ["Once upon a time."]


async def test_a_stream_whose_beginning_was_lost_becomes_the_answer(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    """A stream cannot carry metadata while it is open, and is found all the same."""
    await messenger.send(make_post(thread, "An earlier answer"))
    asked = slack.say(PERSON, "another question", channel=CHANNEL, thread_ts=thread.thread)["ts"]
    slack.fault("lose", method="chat.startStream")
    turn_id = TurnId(new_id())
    with pytest.raises(OutcomeUnknown):
        await messenger.draft(thread, turn_id, "Once", key=None, reply_to=asked)

    receipt = await settle(messenger, replace(make_post(thread, "Once upon.", reply_to=asked), turn_id=turn_id))

    assert receipt is not None
    assert slack.texts(CHANNEL) == ["An earlier answer", "Once upon."]


async def test_a_draft_whose_beginning_was_lost_becomes_the_answer(
    slack: FakeSlack, messenger: Messenger, direct: Address
) -> None:
    slack.fault("lose", method="chat.postMessage")
    turn_id = TurnId(new_id())
    with pytest.raises(OutcomeUnknown):
        await messenger.draft(direct, turn_id, "Once", key=None, reply_to=None)

    receipt = await settle(messenger, replace(make_post(direct, "Once upon."), turn_id=turn_id))

    assert receipt is not None
    assert slack.texts(direct.chat) == ["Once upon."]


async def test_a_workspace_without_streams_gets_edits(slack: FakeSlack, messenger: Messenger, thread: Address) -> None:
    slack.fault("refuse", method="chat.startStream", description="feature_not_enabled", times=None)

    await drafted(messenger, thread, "Once", "Once upon")
    await drafted(messenger, thread, "Another")

    assert len(slack.journal("fault")) == 1
    assert slack.texts(CHANNEL) == ["Once upon", "Another"]


async def test_streams_that_would_be_too_many_are_edits(
    slack: FakeSlack, messenger: Messenger, thread: Address, ticks: Ticks
) -> None:
    """Every stream that is begun has to be ended, and Slack allows twenty ends a minute."""
    slack.do("limits", on=True)

    for number in range(16):
        key, turn_id = await drafted(messenger, replace(thread, chat=CHANNEL), f"Number {number}")
        await messenger.send(replace(make_post(thread, f"Number {number}."), turn_id=turn_id, draft_key=key))
    ticks.now += 61
    await drafted(messenger, thread, "Later")

    assert methods(slack).count("chat.startStream") == 16
    assert methods(slack).count("chat.stopStream") == 15
    assert slack.texts(CHANNEL) == [f"Number {number}." for number in range(16)] + ["Later"]


async def test_drafts_of_many_at_once_go_slower(messenger: Messenger, thread: Address, ticks: Ticks) -> None:
    alone = messenger.draft_interval_s(thread)
    for _ in range(5):
        await drafted(messenger, thread, "So far")

    together = messenger.draft_interval_s(thread)
    ticks.now += 60

    assert (together, messenger.draft_interval_s(thread)) == (5 * alone, alone)


async def test_an_answer_longer_than_a_message_is_shown_as_far_as_it_fits(
    slack: FakeSlack, messenger: Messenger, thread: Address
) -> None:
    text = "\n\n".join(f"Paragraph {number} of the long answer." for number in range(600))
    key, turn_id = await drafted(messenger, thread, text[:11_990], text[:15_000], text)
    parts = messenger.split(text)

    await messenger.send(replace(make_post(thread, parts[0]), turn_id=turn_id, draft_key=key))
    for part in parts[1:]:
        await messenger.send(make_post(thread, part))

    assert slack.texts(CHANNEL) == parts
    assert len(parts) == 2


async def test_a_draft_without_words_yet_is_no_error(slack: FakeSlack, messenger: Messenger, thread: Address) -> None:
    key, turn_id = await drafted(messenger, thread, "", " \n", "Once")

    await messenger.send(replace(make_post(thread, "Once."), turn_id=turn_id, draft_key=key))

    assert slack.texts(CHANNEL) == ["Once."]


# ---- finding out ----------------------------------------------------------------------------------------------------


async def test_settling_reads_page_after_page(slack: FakeSlack, messenger: Messenger, direct: Address) -> None:
    asked = slack.say(PERSON, "question")["ts"]
    post = make_post(direct, "answer", reply_to=asked)
    await messenger.send(post)
    for number in range(250):
        slack.say(PERSON, f"chatter {number}")

    receipt = await messenger.settle(post)

    assert receipt == Receipt(slack.messages(direct.chat)[0]["ts"])
    assert methods(slack).count("conversations.history") == 3


async def test_settling_does_not_look_before_the_message_answered(
    slack: FakeSlack, messenger: Messenger, direct: Address
) -> None:
    for number in range(150):
        slack.say(PERSON, f"chatter {number}")
    asked = slack.say(PERSON, "question")["ts"]

    assert await messenger.settle(make_post(direct, "answer", reply_to=asked)) is None
    assert methods(slack).count("conversations.history") == 1


async def test_a_post_is_not_called_missing_while_it_may_be_on_its_way(
    slack: FakeSlack, messenger: Messenger, direct: Address, ticks: Ticks
) -> None:
    post = make_post(direct, "answer")
    slack.fault("reset", method="chat.postMessage")
    with pytest.raises(OutcomeUnknown):
        await messenger.send(post)

    with pytest.raises(OutcomeUnknown):
        await messenger.settle(post)
    ticks.now += 5.1

    assert await messenger.settle(post) is None


async def test_an_edited_answer_is_still_found(slack: FakeSlack, messenger: Messenger, direct: Address) -> None:
    key, turn_id = await drafted(messenger, direct, "Once")
    post = replace(make_post(direct, "Once upon."), turn_id=turn_id, draft_key=key)
    await messenger.send(post)

    assert await messenger.settle(replace(post, draft_key=None)) == Receipt(key)


async def test_anothers_message_with_our_mark_is_not_ours(
    slack: FakeSlack, messenger: Messenger, direct: Address
) -> None:
    post = make_post(direct, "answer")
    said = slack.say(PERSON, "a copy")
    mark = {"event_type": "parlour_delivery", "event_payload": {"key": post.key}}
    slack._call(lambda app: app.world.channels[direct.chat].messages[said["ts"]].update(metadata=mark))

    assert await messenger.settle(post) is None


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "options", "expected"),
    [
        ("throttle", {"retry_after": 9}, Throttled),
        ("lose", {}, OutcomeUnknown),
        ("reset", {}, OutcomeUnknown),
        ("error_before", {}, OutcomeUnknown),
        ("refuse", {"description": "fatal_error"}, OutcomeUnknown),
        ("refuse", {"description": "ratelimited"}, Throttled),
        ("refuse", {"description": "invalid_auth"}, CredentialsRejected),
        ("refuse", {"description": "account_inactive"}, CredentialsRejected),
        ("refuse", {"description": "token_revoked"}, CredentialsRejected),
        ("refuse", {"description": "team_added_to_org"}, NotSent),
        ("refuse", {"description": "is_archived"}, Rejected),
        ("refuse", {"description": "something_new"}, Rejected),
    ],
)
async def test_each_answer_of_slacks_has_one_meaning_for_a_post(
    slack: FakeSlack,
    messenger: Messenger,
    direct: Address,
    fault: Any,
    options: dict[str, Any],
    expected: type[Exception],
) -> None:
    slack.fault(fault, method="chat.postMessage", **options)

    with pytest.raises(expected):
        await messenger.send(make_post(direct, "answer"))

    assert methods(slack).count("chat.postMessage") <= 1


async def test_a_post_that_slack_does_not_answer_is_unknown(slack: FakeSlack, ticks: Ticks, direct: Address) -> None:
    slack.fault("hang", method="chat.postMessage", seconds=60.0)

    async with session(2.0) as http:
        with pytest.raises(OutcomeUnknown):
            await make_messenger(slack, http, ticks).send(make_post(direct, "answer"))


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("message_not_found", DraftLost),
        ("edit_window_closed", DraftLost),
        ("is_archived", Rejected),
        ("fatal_error", NotSent),
    ],
)
async def test_each_answer_of_slacks_has_one_meaning_for_an_edit(
    slack: FakeSlack, messenger: Messenger, direct: Address, description: str, expected: type[Exception]
) -> None:
    key, turn_id = await drafted(messenger, direct, "Once")
    slack.fault("refuse", method="chat.update", description=description)

    with pytest.raises(expected):
        await messenger.send(replace(make_post(direct, "Once upon."), turn_id=turn_id, draft_key=key))


async def test_one_channels_throttle_stops_no_other(
    slack: FakeSlack, messenger: Messenger, direct: Address, thread: Address
) -> None:
    """G10."""
    slack.fault("throttle", method="chat.postMessage", chat=CHANNEL, retry_after=30)
    with pytest.raises(Throttled) as caught:
        await messenger.send(make_post(thread, "one"))

    await messenger.send(make_post(direct, "two"))

    assert (caught.value.scope, slack.texts(direct.chat)) == ("chat", ["two"])


async def test_a_throttled_method_rests_without_being_asked_again(
    slack: FakeSlack, messenger: Messenger, direct: Address, ticks: Ticks
) -> None:
    key, turn_id = await drafted(messenger, direct, "Once")
    post = replace(make_post(direct, "Once upon."), turn_id=turn_id, draft_key=key)
    slack.fault("throttle", method="chat.update", retry_after=30)
    with pytest.raises(Throttled):
        await messenger.send(post)

    ticks.now += 10
    with pytest.raises(Throttled) as caught:
        await messenger.send(post)
    calls = methods(slack).count("chat.update")
    ticks.now += 21
    await messenger.send(post)

    assert (caught.value.retry_after_s, calls) == (20, 0)
    assert slack.texts(direct.chat) == ["Once upon."]


# ---- files ----------------------------------------------------------------------------------------------------------


async def test_a_file_past_the_limit_is_not_read_whatever_slack_says_of_its_size(
    slack: FakeSlack, messenger: Messenger
) -> None:
    about = slack.do("add_file", name="big.bin", content="x" * 5_000, media_type="application/octet-stream")
    slack._call(lambda app: app.world.files[about["id"]].about.update(size=10))

    with pytest.raises(Rejected, match="too_large"):
        await messenger.fetch(about["id"], limit_bytes=1_000)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url_private_download": "https://evil.example/f", "url_private": "https://evil.example/f"}, "file_elsewhere"),
        ({"url_private_download": "http://files.slack.com/f"}, "file_elsewhere"),
        ({"is_external": True}, "file_elsewhere"),
        ({"size": 5_000}, "too_large"),
    ],
)
async def test_the_token_goes_to_nobody_else_for_a_file(
    slack: FakeSlack, messenger: Messenger, change: dict[str, Any], code: str
) -> None:
    about = slack.do("add_file", name="a.txt", content="abc")
    slack._call(lambda app: app.world.files[about["id"]].about.update(change))

    with pytest.raises(Rejected, match=code):
        await messenger.fetch(about["id"], limit_bytes=1_000)

    assert slack.journal("downloaded") == []


async def test_slacks_login_page_is_not_taken_for_the_file(slack: FakeSlack, messenger: Messenger) -> None:
    about = slack.do("add_file", name="a.txt", content="abc")
    slack._call(
        lambda app: app.world.files[about["id"]].about.update(
            url_private_download=f"{slack.url}/files-pri/T404-F404/a.txt"
        )
    )

    with pytest.raises(Rejected, match="file_unreadable"):
        await messenger.fetch(about["id"], limit_bytes=1_000)


async def test_a_file_that_is_gone_is_told(messenger: Messenger) -> None:
    with pytest.raises(Rejected, match="file_not_found"):
        await messenger.fetch("F404", limit_bytes=1_000)


def test_only_the_real_slack_has_the_documented_limits(messenger: Messenger, direct: Address) -> None:
    assert messenger.limits(direct).chat_per_s == 0
