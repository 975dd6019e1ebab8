"""Installing the app into workspaces, and removing it."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from parlour.channels.slack import SlackChannel
from parlour.channels.slack_oauth import SCOPES
from parlour.turns.ports import Address, CredentialsRejected
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.slack import FakeSlack
from tests.integration.channels.contract import make_post, until
from tests.integration.channels.slack_support import Running, make_channel, running

REDIRECT = "/slack/oauth_redirect"


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        server.do("add_team", team="T1", name="First", bot_token="xoxb-first")
        server.do("add_team", team="T2", name="Second", bot_token="xoxb-second")
        yield server


def installable(slack: FakeSlack, redirect_url: str = "http://gateway.test/slack/oauth_redirect") -> SlackChannel:
    return make_channel(
        slack,
        bot_token="",
        mode="http",
        client_id=slack.client_id,
        client_secret=slack.client_secret,
        redirect_url=redirect_url,
    )


@pytest.fixture
async def gateway(slack: FakeSlack) -> AsyncIterator[Running]:
    async with running(slack, installable(slack)) as made:
        yield made


async def allow(browser: httpx.AsyncClient, gateway: Running, *, team: str, deny: bool = False) -> str:
    """Follow the installation up to where Slack sends the browser back to. Returns that address on the gateway."""
    asked = await browser.get(f"{gateway.url}/slack/install")
    choice = {"deny": "1"} if deny else {"team": team}
    answered = await browser.get(asked.headers["Location"], params=parse(asked.headers["Location"]) | choice)
    return f"{gateway.url}{REDIRECT}?{urlsplit(answered.headers['Location']).query}"


def parse(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=60) as client:
        yield client


async def test_several_workspaces_are_installed_and_served_without_a_restart(
    gateway: Running, browser: httpx.AsyncClient
) -> None:
    assert gateway.channel.messengers() == []

    for team in ("T1", "T2"):
        page = await browser.get(await allow(browser, gateway, team=team))
        assert page.status_code == 200
        gateway.slack.say("U1", f"hello from {team}", team=team)

    incoming = await gateway.incoming(2)
    assert {one.text for one in incoming} == {"hello from T1", "hello from T2"}
    assert len({one.account_id for one in incoming}) == 2
    for one in incoming:
        messenger = next(each for each in gateway.channel.messengers() if each.account_id == one.account_id)
        await messenger.send(make_post(one.address, f"re: {one.text}"))
        assert gateway.slack.texts(one.address.chat) == [f"re: {one.text}"]


async def test_slack_is_asked_for_the_scopes_that_the_app_uses(gateway: Running, browser: httpx.AsyncClient) -> None:
    asked = await browser.get(f"{gateway.url}/slack/install")

    query = parse(asked.headers["Location"])

    assert query["scope"].split(",") == list(SCOPES)
    assert query["redirect_uri"] == "http://gateway.test/slack/oauth_redirect"
    assert "HttpOnly" in asked.headers["Set-Cookie"]


async def test_installed_workspaces_are_taken_up_after_a_restart(slack: FakeSlack, browser: httpx.AsyncClient) -> None:
    accounts = FakeAccounts()
    async with running(slack, installable(slack), accounts=accounts) as first:
        await browser.get(await allow(browser, first, team="T1"))

    async with running(slack, installable(slack), accounts=accounts) as second:
        slack.say("U1", "still there?", team="T1")
        (incoming,) = await second.incoming()

    assert incoming.text == "still there?"


async def test_a_workspace_installed_at_another_gateway_is_found_by_its_first_event(
    slack: FakeSlack, browser: httpx.AsyncClient
) -> None:
    accounts = FakeAccounts()
    async with (
        running(slack, installable(slack), accounts=accounts) as other,
        running(slack, installable(slack), accounts=accounts) as gateway,
    ):
        gateway.channel._workspaces._looked_at = float("-inf")  # type: ignore[union-attr]
        await browser.get(await allow(browser, other, team="T1"))

        slack.say("U1", "hello", team="T1")
        (incoming,) = await gateway.incoming()

    assert incoming.text == "hello"


async def test_installing_again_gives_the_same_messenger_the_new_token(
    gateway: Running, browser: httpx.AsyncClient
) -> None:
    await browser.get(await allow(browser, gateway, team="T1"))
    (messenger,) = gateway.channel.messengers()

    await browser.get(await allow(browser, gateway, team="T1"))

    assert list(gateway.channel.messengers()) == [messenger]


@pytest.mark.parametrize("spoil", ["no_cookie", "other_state", "no_state", "used"])
async def test_a_state_that_is_not_this_browsers_or_was_used_installs_nothing(
    gateway: Running, browser: httpx.AsyncClient, spoil: str
) -> None:
    back = await allow(browser, gateway, team="T1")
    match spoil:
        case "no_cookie":
            browser.cookies.clear()
        case "other_state":
            back = back.replace("state=", "state=1")
        case "no_state":
            back = back.partition("&state=")[0]
        case "used":
            cookies = dict(browser.cookies)
            await browser.get(back)
            browser.cookies.update(cookies)

    page = await browser.get(back)

    assert page.status_code == 400
    assert len(gateway.channel.messengers()) == (1 if spoil == "used" else 0)


async def test_an_installation_that_was_not_allowed_stores_nothing_and_says_so(
    gateway: Running, browser: httpx.AsyncClient
) -> None:
    page = await browser.get(await allow(browser, gateway, team="T1", deny=True), headers={"Accept-Language": "zh-CN"})

    assert page.status_code == 400
    assert "没有保存任何内容" in page.text
    assert gateway.accounts.list("slack") == []


@pytest.mark.parametrize(("kind", "status"), [("refuse", 400), ("error_before", 502)])
async def test_a_failed_exchange_stores_nothing(
    gateway: Running, browser: httpx.AsyncClient, kind: str, status: int
) -> None:
    back = await allow(browser, gateway, team="T1")
    gateway.slack.do("fault", kind=kind, method="oauth.v2.access", description="<script>invalid_code</script>")

    page = await browser.get(back)

    assert page.status_code == status
    assert "<script>" not in page.text
    assert gateway.accounts.list("slack") == []


async def test_a_removed_app_is_noted_and_its_events_are_dropped(gateway: Running, browser: httpx.AsyncClient) -> None:
    await browser.get(await allow(browser, gateway, team="T1"))
    (messenger,) = gateway.channel.messengers()

    gateway.slack.do("uninstall", team="T1")
    await until(lambda: gateway.accounts.rejected, "the account is rejected")

    assert gateway.accounts.rejected == [messenger.account_id]
    assert gateway.channel.messengers() == []
    with pytest.raises(CredentialsRejected, match="install"):
        await messenger.send(make_post(Address(chat="C1"), "hello"))


async def test_an_app_without_installations_has_no_installation_pages(
    slack: FakeSlack, browser: httpx.AsyncClient
) -> None:
    async with running(slack, make_channel(slack, mode="http")) as made:
        answer = await browser.get(f"{made.url}/slack/install")

    assert answer.status_code == 404


async def test_a_wrong_app_level_token_is_told_at_start(slack: FakeSlack) -> None:
    channel = make_channel(slack, app_token="xapp-wrong")

    with pytest.raises(CredentialsRejected, match=r"slack\.app_token"):
        await channel.open(FakeIntake(), FakeAccounts())

    await channel.close()
