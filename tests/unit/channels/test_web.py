"""The web channel's requests, without a browser."""

import base64
import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.channels.web import WebChannel
from parlour.channels.web_session import COOKIE
from parlour.sdk.replies import Button
from parlour.store.ids import TurnId, new_id
from parlour.turns.ports import IncomingKind, Verdict
from parlour.turns.said import FileView, Said
from tests.fakes.talk import FakeAccounts, FakeClock, FakeTalk
from tests.support.pictures import png

ORIGIN = {"Origin": "http://parlour.test"}
ID = "0123456789abcdef"


@pytest.fixture
def talk() -> FakeTalk:
    return FakeTalk()


@pytest.fixture
async def client(talk: FakeTalk) -> AsyncIterator[httpx.AsyncClient]:
    channel = WebChannel(
        history=talk, bus=talk.bus, sealer=talk.sealer, clock=FakeClock(), max_attachment_bytes=100, is_secure=False
    )
    await channel.open(talk, FakeAccounts())
    app = build_app(channel.routes(), Health({}), registry=CollectorRegistry())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://parlour.test", headers=ORIGIN) as client:
        yield client
    await channel.close()


async def _visit(client: httpx.AsyncClient) -> httpx.Response:
    return await client.get("/")


async def test_the_first_visit_gets_a_session_cookie_that_scripts_and_other_sites_cannot_use(
    client: httpx.AsyncClient,
) -> None:
    response = await _visit(client)

    cookie = response.headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[A-Za-z0-9_-]{{43}};", cookie)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_for_https_only(talk: FakeTalk) -> None:
    channel = WebChannel(history=talk, bus=talk.bus, sealer=talk.sealer, clock=FakeClock(), is_secure=True)
    await channel.open(talk, FakeAccounts())
    app = build_app(channel.routes(), Health({}), registry=CollectorRegistry(), is_secure=True)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://parlour.test") as client:
        response = await _visit(client)
    await channel.close()

    assert "Secure" in response.headers["set-cookie"]
    assert response.headers["strict-transport-security"].startswith("max-age=")


async def test_the_persons_id_does_not_give_the_session_away(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)

    await client.post("/chat/messages", json={"id": ID, "text": "hello"})

    sender = talk.received[0].sender
    assert client.cookies[COOKIE] not in repr(talk.received[0])
    assert len(sender.external_id) == 64


async def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    response = await _visit(client)

    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", response.text)
    assert "http://" not in response.text.replace("http://www.w3.org", "")
    assert "https://" not in response.text


async def test_static_files_are_served_under_an_address_that_changes_with_them(client: httpx.AsyncClient) -> None:
    page = (await _visit(client)).text

    for address in re.findall(r'(?:href|src)="(/chat/static/[^"]+)"', page):
        response = await client.get(address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
    assert (await client.get("/chat/static/../web.py")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "", "Referer": ""},
        {"Origin": "http://parlour.test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://parlour.test", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://parlour.test.evil.test"},
    ],
)
@pytest.mark.parametrize("path", ["/chat/messages", "/chat/feedback", "/chat/stop"])
async def test_a_request_from_another_site_does_nothing(
    client: httpx.AsyncClient, talk: FakeTalk, headers: dict[str, str], path: str
) -> None:
    await _visit(client)

    response = await client.post(path, json={"id": ID, "text": "hello"}, headers=headers)

    assert response.status_code == 403
    assert talk.received == []


async def test_a_message_without_a_session_is_refused_with_what_to_do(client: httpx.AsyncClient) -> None:
    response = await client.post("/chat/messages", json={"id": ID, "text": "hello"})

    assert response.status_code == 403
    assert "cookies" in response.json()["title"]


async def test_the_same_id_twice_is_one_turn(client: httpx.AsyncClient) -> None:
    await _visit(client)

    first = (await client.post("/chat/messages", json={"id": ID, "text": "hello"})).json()
    second = (await client.post("/chat/messages", json={"id": ID, "text": "hello"})).json()

    assert (first["verdict"], second["verdict"]) == (Verdict.ACCEPTED, Verdict.DUPLICATE)
    assert first["turn"] == second["turn"]


async def test_two_browsers_with_the_same_id_are_two_turns(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    for _ in range(2):
        client.cookies.clear()
        await _visit(client)
        await client.post("/chat/messages", json={"id": ID, "text": "hello"})

    assert len({incoming.event_id for incoming in talk.received}) == 2
    assert all(len(incoming.event_id) <= 128 for incoming in talk.received)


@pytest.mark.parametrize(
    ("typed", "kind", "text"),
    [
        ("/help", IncomingKind.COMMAND, "help"),
        ("/Language  zh ", IncomingKind.COMMAND, "language zh"),
        ("/usr/bin is a folder", IncomingKind.MESSAGE, "/usr/bin is a folder"),
        ("/ hello", IncomingKind.MESSAGE, "/ hello"),
        ("what is /help", IncomingKind.MESSAGE, "what is /help"),
    ],
)
async def test_what_begins_like_a_command_is_one(
    client: httpx.AsyncClient, talk: FakeTalk, typed: str, kind: IncomingKind, text: str
) -> None:
    await _visit(client)

    await client.post("/chat/messages", json={"id": ID, "text": typed})

    assert (talk.received[0].kind, talk.received[0].text) == (kind, text)


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"text": "hello"}',
        b'{"id": "short", "text": "hello"}',
        b'{"id": "0123456789abcdef", "text": 7}',
        b'{"id": "0123456789abcdef; DROP", "text": "x"}',
        b'{"id": "0123456789abcdef", "files": [{"name": "a", "data": "\xc3\xa4"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_a_malformed_message_is_refused_without_its_content(
    client: httpx.AsyncClient, talk: FakeTalk, body: bytes
) -> None:
    await _visit(client)

    response = await client.post("/chat/messages", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert "hello" not in response.text
    assert talk.received == []


async def test_a_message_that_could_not_be_stored_is_not_acknowledged(
    client: httpx.AsyncClient, talk: FakeTalk
) -> None:
    await _visit(client)
    talk.is_down = True

    response = await client.post("/chat/messages", json={"id": ID, "text": "hello"})

    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"


async def test_without_a_database_the_page_still_comes_and_says_so(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    talk.is_down = True

    response = await _visit(client)

    assert response.status_code == 503
    assert "cannot read the conversation" in response.text


async def test_a_form_without_script_leads_back_to_the_page(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)

    response = await client.post("/chat/messages", data={"id": ID, "text": "hello"})

    assert (response.status_code, response.headers["location"]) == (303, "/#end")
    assert talk.received[0].text == "hello"


async def test_a_file_comes_with_its_message(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    file = {"name": "a.txt", "type": "text/plain", "data": base64.b64encode(b"water").decode()}

    await client.post("/chat/messages", json={"id": ID, "text": "", "files": [file]})

    (attachment,) = talk.received[0].attachments
    assert (attachment.size, attachment.content) == (5, b"water")
    assert "water" not in repr(attachment)


async def test_of_a_file_that_is_too_large_only_the_announcement_goes_on(
    client: httpx.AsyncClient, talk: FakeTalk
) -> None:
    await _visit(client)
    file = {"name": "a.bin", "data": base64.b64encode(b"x" * 101).decode()}

    await client.post("/chat/messages", json={"id": ID, "text": "", "files": [file]})

    (attachment,) = talk.received[0].attachments
    assert (attachment.size, attachment.content) == (101, None)


async def test_a_thumb_names_the_turn_it_is_for(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    turn = (await client.post("/chat/messages", json={"id": ID, "text": "hello"})).json()["turn"]

    await client.post("/chat/feedback", json={"turn": turn, "value": "down"})

    rated = talk.received[-1]
    assert (rated.kind, rated.text, rated.message_key) == (IncomingKind.FEEDBACK, "down", turn)


async def test_a_stop_names_its_turn_or_none(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    turn = str(new_id())

    await client.post("/chat/stop", json={"turn": turn})
    await client.post("/chat/stop", json={})

    assert [(stop.kind, stop.text) for stop in talk.received] == [(IncomingKind.STOP, turn), (IncomingKind.STOP, "")]


async def _rich_answer(client: httpx.AsyncClient, talk: FakeTalk) -> Said:
    """An answer with a chart, a script that calls itself a picture, and two buttons."""
    turn = TurnId(UUID((await client.post("/chat/messages", json={"id": ID, "text": "hello"})).json()["turn"]))
    chart = talk.enclose(turn, FileView("chart.png", "image/png", png()), alt="Growth <b>", words="**Growth**\n\nup")
    script = talk.enclose(turn, FileView('自動 "x".html', "text/html", b"<script>1</script>"))
    buttons = (Button("More", "/more"), Button("<i>Talk</i>", 'say "hello"'))
    return talk.answer(turn, "Here.", enclosures=(chart, script), buttons=buttons, closing="What next?")


async def test_an_answer_shows_its_pictures_files_and_buttons_and_nothing_in_them_runs(
    client: httpx.AsyncClient, talk: FakeTalk
) -> None:
    await _visit(client)
    said = await _rich_answer(client, talk)

    page = (await _visit(client)).text

    chart, script = (f"/chat/files/{one.id}" for one in said.enclosures)
    assert f'<img src="{chart}" alt="Growth &lt;b&gt;">' in page
    assert f'href="{script}" download=' in page
    assert 'value="/more">More</button>' in page
    assert 'value="say &#34;hello&#34;">&lt;i&gt;Talk&lt;/i&gt;</button>' in page
    assert page.index("Here.") < page.index(chart) < page.index("What next?") < page.index("/more")


async def test_a_picture_is_shown_and_anything_else_is_kept(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    said = await _rich_answer(client, talk)

    picture, script = [await client.get(f"/chat/files/{one.id}") for one in said.enclosures]

    assert (picture.headers["content-type"], picture.content) == ("image/png", png())
    assert picture.headers["content-disposition"].startswith("inline")
    assert (script.headers["content-type"], script.content) == ("application/octet-stream", b"<script>1</script>")
    assert script.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%87%AA%E5%8B%95%20%22x%22.html"
    for response in (picture, script):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]
        assert "private" in response.headers["cache-control"]


async def test_a_file_is_for_its_own_session_only(client: httpx.AsyncClient, talk: FakeTalk) -> None:
    await _visit(client)
    said = await _rich_answer(client, talk)
    address = f"/chat/files/{said.enclosures[0].id}"

    client.cookies.clear()
    without = await client.get(address)
    await _visit(client)
    await client.post("/chat/messages", json={"id": ID, "text": "hello"})
    another = await client.get(address)

    assert (without.status_code, another.status_code) == (403, 404)


async def test_history_is_read_back(client: httpx.AsyncClient) -> None:
    await _visit(client)
    turn = (await client.post("/chat/messages", json={"id": ID, "text": "hello"})).json()["turn"]

    history = (await client.get("/chat/history")).json()

    assert [(said["turn"], said["author"]) for said in history["messages"]] == [(turn, "user")]
    assert history["waiting"] == [turn]


async def test_the_page_is_in_the_browsers_language(client: httpx.AsyncClient) -> None:
    chinese = await client.get("/", headers={"Accept-Language": "fr;q=0.9, zh-TW;q=0.8, en;q=0.1"})
    german = await client.get("/", headers={"Accept-Language": "de"})

    assert '<html lang="zh">' in chinese.text
    assert '<html lang="en">' in german.text


async def test_an_event_stream_needs_a_session(client: httpx.AsyncClient) -> None:
    assert (await client.get("/chat/events")).status_code == 403
    assert (await client.get("/chat/history")).status_code == 403
