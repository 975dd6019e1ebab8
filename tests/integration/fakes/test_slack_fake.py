"""The fake Slack, spoken to by Slack's own clients."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import FakeSlack

METADATA = {"event_type": "delivery", "event_payload": {"key": "1"}}


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        # What is acknowledged late is sent again, and a busy machine takes its time.
        server.do("timing", ack_timeout_s=30, retry_delays_s=[0.05, 0.05, 0.05])
        yield server


@pytest.fixture
def client(slack: FakeSlack) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.base_url, retry_handlers=[])


async def until(condition: Callable[[], Any], *, within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "did not happen"
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def socket_client(slack: FakeSlack, *, acks: bool = True) -> AsyncIterator[list[SocketModeRequest]]:
    """A connected Socket Mode client; the requests it received."""
    received: list[SocketModeRequest] = []
    web = AsyncWebClient(base_url=slack.base_url)
    client = SocketModeClient(slack.app_token, web_client=web, ping_interval=1)

    async def take(client: Any, request: SocketModeRequest) -> None:
        received.append(request)
        if acks:
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    client.socket_mode_request_listeners.append(take)
    await client.connect()
    try:
        yield received
    finally:
        await client.close()


def error_of(call: Callable[[], Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        call()
    return str(caught.value.response["error"])


# ---- Web API --------------------------------------------------------------------------------------------------------


def test_a_token_is_told_who_it_is(slack: FakeSlack, client: WebClient) -> None:
    who = client.auth_test()

    assert (who["team_id"], who["user_id"]) == (slack.team, slack.bot_user_id)


@pytest.mark.parametrize(("token", "error"), [("xoxb-wrong", "invalid_auth"), (None, "not_authed")])
def test_a_wrong_token_is_refused(slack: FakeSlack, token: str | None, error: str) -> None:
    client = WebClient(token, base_url=slack.base_url)

    assert error_of(client.auth_test) == error


def test_a_revoked_token_and_a_removed_app_are_refused_in_slacks_words(slack: FakeSlack, client: WebClient) -> None:
    slack.do("uninstall")
    removed = error_of(client.auth_test)
    slack.do("revoke")

    assert (removed, error_of(client.auth_test)) == ("account_inactive", "token_revoked")


def test_a_post_is_stored_with_its_metadata(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_channel", channel="C1")

    posted = client.chat_postMessage(channel="C1", text="hi", metadata=METADATA)

    found = client.conversations_history(channel="C1", include_all_metadata=True)["messages"]
    assert [(one["ts"], one["metadata"]) for one in found] == [(posted["ts"], METADATA)]
    assert "metadata" not in client.conversations_history(channel="C1")["messages"][0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C404", "text": "hi"}, "channel_not_found"),
        ({"channel": "C2", "text": "hi"}, "not_in_channel"),
        ({"channel": "C3", "text": "hi"}, "is_archived"),
        ({"channel": "C1", "text": ""}, "no_text"),
        ({"channel": "C1", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "C1", "blocks": [{"type": "markdown", "text": "x" * 12_001}]}, "msg_too_long"),
        ({"channel": "C1", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "C1", "text": "hi", "thread_ts": "1.000001"}, "thread_not_found"),
    ],
)
def test_a_post_that_slack_would_not_take_is_refused(
    slack: FakeSlack, client: WebClient, arguments: dict[str, Any], error: str
) -> None:
    slack.do("add_channel", channel="C1")
    slack.do("add_channel", channel="C2", has_bot=False)
    slack.do("add_channel", channel="C3")
    slack.do("archive", channel="C3")

    assert error_of(lambda: client.api_call("chat.postMessage", json=arguments)) == error


def test_a_post_is_changed_and_deleted_by_its_author_only(slack: FakeSlack, client: WebClient) -> None:
    said = slack.say("U1", "mine", channel="C1")
    posted = client.chat_postMessage(channel="C1", text="one")

    client.chat_update(channel="C1", ts=posted["ts"], text="two")
    changed = slack.texts("C1")
    client.chat_delete(channel="C1", ts=posted["ts"])

    assert (changed, slack.texts("C1")) == (["two"], [])
    assert error_of(lambda: client.chat_update(channel="C1", ts=said["ts"], text="x")) == "cant_update_message"
    assert error_of(lambda: client.chat_update(channel="C1", ts=posted["ts"], text="x")) == "message_not_found"


def test_history_comes_in_pages_within_its_bounds(slack: FakeSlack, client: WebClient) -> None:
    stamps = [slack.say("U1", str(number), channel="C1")["ts"] for number in range(5)]

    first = client.conversations_history(channel="C1", limit=2, oldest=stamps[0])
    second = client.conversations_history(
        channel="C1", limit=2, oldest=stamps[0], cursor=first["response_metadata"]["next_cursor"]
    )

    assert [one["text"] for one in first["messages"] + second["messages"]] == ["4", "3", "2", "1"]
    assert (first["has_more"], second["has_more"]) == (True, False)


def test_replies_are_found_in_the_thread_and_not_in_the_history(slack: FakeSlack, client: WebClient) -> None:
    root = slack.say("U1", "root", channel="C1")["ts"]
    slack.say("U2", "reply", channel="C1", thread_ts=root)

    replies = client.conversations_replies(channel="C1", ts=root)["messages"]
    history = client.conversations_history(channel="C1")["messages"]

    assert [one["text"] for one in replies] == ["root", "reply"]
    assert [one["text"] for one in history] == ["root"]


def test_a_missing_scope_is_told(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_user", user="U1")
    slack.do("grant", scopes=["chat:write"])

    assert error_of(lambda: client.users_info(user="U1")) == "missing_scope"


# ---- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_grows_and_ends_with_blocks_and_metadata(slack: FakeSlack, client: WebClient) -> None:
    root = slack.say("U1", "ask")
    stream = client.chat_stream(channel=root["channel"], thread_ts=root["ts"], buffer_size=1)

    stream.append(markdown_text="**Hel")
    stream.append(markdown_text="lo**")
    while_open = slack.state()["streams"]
    stream.stop(blocks=[{"type": "divider"}], metadata=METADATA)

    message = slack.messages(root["channel"])[0]
    assert while_open == [[root["channel"], stream.ts]]
    assert slack.state()["streams"] == []
    assert (slack.texts(root["channel"]), message["metadata"]) == (["**Hello**"], METADATA)
    assert [block["type"] for block in message["blocks"]] == ["markdown", "divider"]


def test_a_stream_needs_a_thread_and_in_channels_somebody_to_stream_to(slack: FakeSlack, client: WebClient) -> None:
    root = slack.say("U1", "ask", channel="C1")["ts"]

    def start(**arguments: str) -> str:
        return error_of(lambda: client.api_call("chat.startStream", json={"channel": "C1", **arguments}))

    assert start() == "invalid_arguments"
    assert start(thread_ts=root) == "missing_recipient_team_id"
    assert start(thread_ts=root, recipient_team_id=slack.team) == "missing_recipient_user_id"


def test_a_stream_that_idled_can_only_be_edited_and_an_open_one_cannot(slack: FakeSlack, client: WebClient) -> None:
    root = slack.say("U1", "ask")
    ts = client.chat_startStream(channel=root["channel"], thread_ts=root["ts"], markdown_text="a")["ts"]

    conflict = error_of(lambda: client.chat_update(channel=root["channel"], ts=ts, text="b"))
    slack.do("idle")
    expired = error_of(lambda: client.chat_appendStream(channel=root["channel"], ts=ts, markdown_text="b"))
    client.chat_update(channel=root["channel"], ts=ts, text="c")

    assert (conflict, expired) == ("streaming_state_conflict", "message_not_in_streaming_state")
    assert slack.texts(root["channel"]) == ["c"]


def test_more_than_twelve_thousand_characters_do_not_go_into_a_stream(slack: FakeSlack, client: WebClient) -> None:
    root = slack.say("U1", "ask")

    error = error_of(
        lambda: client.chat_startStream(channel=root["channel"], thread_ts=root["ts"], markdown_text="x" * 12_001)
    )

    assert error == "msg_too_long"


# ---- people, files, assistant -------------------------------------------------------------------------------------


def test_people_files_and_direct_channels_are_described(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_user", user="U1", name="ana", locale="zh-CN")
    about = slack.do("add_file", name="a.txt", content="secret plan")

    user = client.users_info(user="U1", include_locale=True)["user"]
    file = client.files_info(file=about["id"])["file"]
    direct = client.conversations_open(users="U1")["channel"]["id"]
    bytes_read = urllib.request.urlopen(
        urllib.request.Request(file["url_private"], headers={"Authorization": f"Bearer {slack.bot_token}"})
    ).read()
    without_token = urllib.request.urlopen(file["url_private"]).read()

    assert (user["profile"]["display_name"], user["locale"]) == ("Ana", "zh-CN")
    assert bytes_read == b"secret plan"
    assert b"Sign in" in without_token
    assert client.conversations_info(channel=direct)["channel"]["user"] == "U1"


def test_slacks_own_client_uploads_a_file_in_its_three_steps(slack: FakeSlack, client: WebClient) -> None:
    channel = slack.say("U0ANA", "hi")["channel"]

    client.files_upload_v2(channel=channel, content=b"a,b", filename="a.csv", title="A table")

    ((file, content),) = slack.files(channel)
    assert (file["name"], file["title"], content) == ("a.csv", "A table", b"a,b")
    assert client.conversations_history(channel=channel)["messages"][0]["files"][0]["id"] == file["id"]


def test_a_file_that_was_not_uploaded_cannot_be_shared(slack: FakeSlack, client: WebClient) -> None:
    channel = slack.say("U0ANA", "hi")["channel"]
    announced = client.files_getUploadURLExternal(filename="a.csv", length=3)

    with pytest.raises(SlackApiError, match="file_not_found"):
        client.files_completeUploadExternal(files=[{"id": announced["file_id"]}], channel_id=channel)

    assert slack.files(channel) == []


def test_buttons_that_slack_would_not_take_are_refused(slack: FakeSlack, client: WebClient) -> None:
    channel = slack.say("U0ANA", "hi")["channel"]
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x" * 76}}

    with pytest.raises(SlackApiError, match="invalid_blocks"):
        client.chat_postMessage(channel=channel, text="t", blocks=[{"type": "actions", "elements": [button]}])


def test_the_assistants_pane_shows_status_title_and_prompts(slack: FakeSlack, client: WebClient) -> None:
    opened = slack.do("open_assistant", user="U1")
    place = {"channel_id": opened["channel"], "thread_ts": opened["thread_ts"]}

    client.assistant_threads_setStatus(**place, status="is thinking…")
    client.assistant_threads_setTitle(**place, title="Plants")
    client.assistant_threads_setSuggestedPrompts(**place, prompts=[{"title": "Hi", "message": "Hello"}])
    busy = slack.state()["assistant"][0]
    client.chat_postMessage(channel=opened["channel"], thread_ts=opened["thread_ts"], text="done")

    assert (busy["status"], busy["title"], busy["prompts"][0]["title"]) == ("is thinking…", "Plants", "Hi")
    assert slack.state()["assistant"][0]["status"] == ""


def test_whom_a_message_would_notify_is_in_the_journal(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_channel", channel="C1")

    client.chat_postMessage(channel="C1", text="<!channel> and <@U1> and @here")
    client.chat_postMessage(channel="C1", text="x", blocks=[{"type": "markdown", "text": "@here `<!here>`"}])

    assert [entry["pings"] for entry in slack.journal("posted")] == [["<!channel>", "<@U1>"], ["<!here>", "@here"]]


# ---- OAuth ----------------------------------------------------------------------------------------------------------


async def test_a_code_is_exchanged_for_a_token_once(slack: FakeSlack) -> None:
    slack.do("add_team", team="T2", name="Second", bot_token="xoxb-second")
    query = {"client_id": slack.client_id, "scope": "chat:write", "state": "s", "redirect_uri": "http://127.0.0.1:1/cb"}
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{slack.url}/oauth/v2/authorize", params=query, allow_redirects=False)
    code = answer.headers["Location"].split("code=")[1].split("&")[0]
    client = WebClient(base_url=slack.base_url)
    ids = {"client_id": slack.client_id, "client_secret": slack.client_secret, "redirect_uri": "http://127.0.0.1:1/cb"}

    token = client.oauth_v2_access(code=code, **ids)

    assert (token["access_token"], token["team"]["id"]) == ("xoxb-second", "T2")
    with pytest.raises(SlackApiError, match="invalid_code"):
        client.oauth_v2_access(code=code, **ids)


# ---- events ---------------------------------------------------------------------------------------------------------


async def test_a_message_reaches_a_socket_and_is_acknowledged(slack: FakeSlack) -> None:
    async with socket_client(slack) as received:
        said = slack.say("U1", "hello")
        await until(lambda: slack.journal("event_taken"))

    event = received[0].payload["event"]
    assert (event["type"], event["channel_type"], event["text"], event["ts"]) == ("message", "im", "hello", said["ts"])


async def test_an_event_that_is_not_acknowledged_comes_again_and_then_is_given_up(slack: FakeSlack) -> None:
    slack.do("timing", ack_timeout_s=0.3)
    async with socket_client(slack, acks=False) as received:
        slack.say("U1", "hello")
        await until(lambda: slack.journal("event_given_up") and len(received) == 4)

    assert [request.retry_attempt for request in received] == [0, 1, 2, 3]
    assert received[1].retry_reason == "timeout"
    assert len({request.payload["event_id"] for request in received}) == 1


async def test_a_mention_in_a_channel_is_told_twice(slack: FakeSlack) -> None:
    async with socket_client(slack) as received:
        slack.say("U1", f"<@{slack.bot_user_id}> hi", channel="C1")
        await until(lambda: len(slack.journal("event_taken")) == 2)

    events = [request.payload for request in received]
    assert {body["event"]["type"] for body in events} == {"message", "app_mention"}
    assert len({body["event"]["ts"] for body in events}) == 1
    assert len({body["event_id"] for body in events}) == 2


async def test_a_client_follows_when_its_socket_is_to_be_replaced(slack: FakeSlack) -> None:
    async with socket_client(slack) as received:
        slack.do("disconnect")
        await until(lambda: len(slack.journal("socket_opened")) >= 2 and slack.journal("socket_closed"))
        slack.say("U1", "hello")
        await until(lambda: received)

    assert received[0].payload["event"]["text"] == "hello"


async def test_events_wait_for_a_socket_after_a_cut(slack: FakeSlack) -> None:
    async with socket_client(slack) as received:
        slack.do("cut")
        slack.say("U1", "hello")
        await until(lambda: received)

    assert received[0].payload["event"]["text"] == "hello"


async def test_a_wrong_app_token_gets_no_socket(slack: FakeSlack) -> None:
    client = AsyncWebClient(base_url=slack.base_url)

    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client.apps_connections_open(app_token="xapp-wrong")


async def test_events_over_http_are_signed_and_sent_again_with_a_number(slack: FakeSlack) -> None:
    seen: list[tuple[bool, str | None]] = []
    verifier = SignatureVerifier(slack.signing_secret)

    async def take(request: aiohttp.web.Request) -> aiohttp.web.Response:
        is_valid = verifier.is_valid_request(await request.read(), dict(request.headers))
        seen.append((is_valid, request.headers.get("x-slack-retry-num")))
        return aiohttp.web.Response(status=500 if len(seen) < 3 else 200)

    async with listener(take) as url:
        slack.do("events_url", url=url)
        slack.say("U1", "hello")
        await until(lambda: slack.journal("event_taken"))

    assert seen == [(True, None), (True, "1"), (True, "2")]


async def test_commands_and_buttons_reach_a_bolt_app_and_its_answer_comes_back(slack: FakeSlack) -> None:
    web = AsyncWebClient(slack.bot_token, base_url=slack.base_url)
    app = AsyncApp(client=web, request_verification_enabled=False)

    async def help_command(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"help for {command['user_id']} with {command['text']}")

    async def rated(ack: Any, action: dict[str, Any], body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        ts = body["message"]["ts"]
        await client.reactions_add(channel=body["channel"]["id"], timestamp=ts, name=action["value"])

    app.command("/help")(help_command)
    app.action("rate")(rated)
    handler = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()
    buttons = {"type": "feedback_buttons", "action_id": "rate"}
    channel = slack.say("U1", "hi")["channel"]
    blocks = [{"type": "context_actions", "elements": [buttons]}]
    ts = (await web.chat_postMessage(channel=channel, text="x", blocks=blocks))["ts"]

    answer = await asyncio.to_thread(slack.do, "command", user="U1", command="/help", text="me")
    pressed = await asyncio.to_thread(slack.do, "press", user="U1", channel=channel, ts=ts, value="thumbsup")

    await until(lambda: slack.messages(channel)[0].get("reactions"))
    await handler.close_async()
    assert (answer["ok"], answer["answer"]["text"]) == (True, "help for U1 with me")
    assert (pressed["ok"], slack.messages(channel)[0]["reactions"]) == (True, ["thumbsup"])


@asynccontextmanager
async def listener(take: Any) -> AsyncIterator[str]:
    """The address of a server that hands every request to `take`."""
    app = aiohttp.web.Application()
    app.router.add_post("/slack/events", take)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_a_throttled_method_says_when_to_come_back_and_does_nothing(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_channel", channel="C1")
    slack.fault("throttle", method="chat.postMessage", chat="C1", retry_after=7)

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C1", text="hi")

    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    assert slack.texts("C1") == []


@pytest.mark.parametrize(
    ("kind", "posted"), [("lose", ["hi"]), ("reset", []), ("error_before", []), ("error_after", ["hi"])]
)
def test_an_answer_is_lost_before_or_after_the_work(
    slack: FakeSlack, client: WebClient, kind: Any, posted: list[str]
) -> None:
    slack.do("add_channel", channel="C1")
    slack.fault(kind, method="chat.postMessage")

    with pytest.raises((SlackApiError, OSError)):
        client.chat_postMessage(channel="C1", text="hi")

    assert slack.texts("C1") == posted


def test_limits_when_on_are_slacks_own(slack: FakeSlack, client: WebClient) -> None:
    slack.do("add_channel", channel="C1")
    slack.do("add_channel", channel="C2")
    slack.do("limits", on=True)
    for _ in range(3):
        client.chat_postMessage(channel="C1", text="hi")

    error = error_of(lambda: client.chat_postMessage(channel="C1", text="hi"))

    assert error == "ratelimited"
    assert client.chat_postMessage(channel="C2", text="hi")["ok"]


async def test_events_come_twice_in_another_order_or_again_when_told_so(slack: FakeSlack) -> None:
    async with socket_client(slack) as received:
        slack.fault("reorder", method="event")
        slack.say("U1", "first")
        slack.say("U1", "second")
        await until(lambda: len(received) == 2)
        slack.fault("duplicate", method="event")
        slack.say("U1", "third")
        await until(lambda: len(received) == 4)
        slack.do("redeliver")
        await until(lambda: len(received) == 5)

    assert [request.payload["event"]["text"] for request in received] == ["second", "first", "third", "third", "third"]


def test_the_same_seed_gives_the_same_faults() -> None:
    def run(seed: int) -> list[str]:
        with FakeSlack(seed=seed) as slack:
            slack.fault("refuse", description="internal_error", times=None, probability=0.5)
            client = WebClient(slack.bot_token, base_url=slack.base_url, retry_handlers=[])
            return [_outcome(client) for _ in range(12)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def _outcome(client: WebClient) -> str:
    try:
        client.auth_test()
    except SlackApiError as error:
        return str(error.response["error"])
    return "ok"


# ---- as a process ---------------------------------------------------------------------------------------------------


def test_it_runs_as_a_process_that_others_drive_over_http() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, str(root / "tests/fakes/slack.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout
        url = process.stdout.readline().split(" on ")[1].split(" ")[0]
        body = json.dumps({"user": "U1", "text": "Hello"}).encode()

        said = json.load(
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/_fake/say", data=body, headers={"Content-Type": "application/json"})
            )
        )
        channels = json.load(urllib.request.urlopen(f"{url}/_fake/channels"))
        helped = json.load(urllib.request.urlopen(f"{url}/_fake/help"))
        process.terminate()

    assert [one["text"] for one in channels[0]["messages"] if one["ts"] == said["ts"]] == ["Hello"]
    assert "fault" in helped
    assert "say" in helped
