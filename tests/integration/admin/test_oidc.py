"""Signing in by a real identity provider: who is let in, and everything that is not proof enough."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin import attempts, handshake
from parlour.admin.signin import provider as provider_module
from parlour.admin.signin.operators import Operators
from parlour.admin.site import add_pages
from parlour.people.states import Role
from parlour.people.users import block
from parlour.privacy import audit
from tests.support.identity_provider import PEOPLE, Provider, running
from tests.support.stage import copy_of, make_template, open_stage
from tests.unit.admin.pages.conftest import Browser, Site


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running(tmp_path_factory.mktemp("provider") / "log") as found:
        yield found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("oidc") / "data")


@pytest.fixture
def open_site(
    template: Path, tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Site]]:
    # No browser waits here, and the provider shares the machine with other tests.
    monkeypatch.setattr(provider_module, "_PATIENCE_S", (60.0, 60.0))
    with ExitStack() as stack:

        def opened(**oidc: Any) -> Site:
            settings = {**provider.settings, **oidc}
            stage = stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), oidc=settings))
            # The provider is of today.
            stage.clock.jump((datetime.now(UTC) - stage.clock.now()).total_seconds())
            app = build_app([], Health({}), registry=CollectorRegistry())
            add_pages(app, stage.platform)
            return Site(stage, app, stage.platform.accounts.ensure_workspace())

        yield opened
        provider.meddle()


@pytest.fixture
def site(open_site: Callable[..., Site], provider: Provider) -> Site:
    found = open_site()
    provider.meddle(claims={"email_verified": True})
    return found


def _invite(site: Site, person: str = "ann", role: Role = Role.ADMIN) -> None:
    site.logins.invite(
        site.workspace_id, person, role, opens_content=False, email=PEOPLE[person].title(), actor="command:test"
    )


def _back(site: Site, provider: Provider, browser: Browser, person: str = "ann", to: str = "/admin/people") -> str:
    """The browser leaves for the provider, signs in there, and is sent to this address."""
    left = browser.get(f"/admin/oidc?next={to}")
    assert left.status_code == 303, left.text
    return provider.authorize(left.headers["location"], person)


def _sign_in(site: Site, provider: Provider, person: str = "ann", browser: Browser | None = None) -> Any:
    browser = browser or site.browser()
    return browser.get(_back(site, provider, browser, person))


def _actions(site: Site) -> list[str]:
    parts = site.stage.platform
    return [one.action for one in audit.tail(parts.database, parts.privacy)]


def test_who_was_invited_by_address_signs_in_and_goes_where_they_wanted(site: Site, provider: Provider) -> None:
    _invite(site)
    browser = site.browser()

    answer = _sign_in(site, provider, browser=browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/people")
    assert browser.get("/admin/people").status_code == 200
    assert browser.get("/admin/operators").status_code == 403
    assert _actions(site)[0] == "login.sign-in"


def test_the_page_offers_the_provider_where_there_is_one(site: Site) -> None:
    assert "Sign in with Canaille" in site.browser().get("/admin/signin").text


def test_nobody_who_was_not_invited_becomes_anything(site: Site, provider: Provider) -> None:
    """Not even the first to come, where no owner is yet."""
    answer = _sign_in(site, provider)

    assert answer.status_code == 403
    assert "nobody invited you here" in answer.text
    assert site.logins.list(site.workspace_id) == []
    assert _actions(site)[0] == "login.sign-in-failed"


def test_an_address_brings_in_one_identity_and_no_other_one_after_it(site: Site, provider: Provider) -> None:
    _invite(site)
    _sign_in(site, provider)

    provider.meddle(claims={"email_verified": True, "email": PEOPLE["ann"]})
    assert _sign_in(site, provider, "eve").status_code == 403
    # And the one that was brought in needs its address no more.
    provider.meddle(claims={"email_verified": True, "email": "ann@new-name.example"})
    assert _sign_in(site, provider, "ann").status_code == 303


def test_an_identity_that_was_named_itself_needs_no_address(site: Site, provider: Provider) -> None:
    site.signed_in(Role.ADMIN)
    (login,) = site.logins.list(site.workspace_id)
    parts = site.stage.platform
    own = Operators(parts.database, parts.privacy, site.workspace_id, "command:test")
    own.set_subject(login.id, provider.issuer, "ann")
    provider.meddle(claims={"email": None, "email_verified": None})

    assert _sign_in(site, provider, "ann").status_code == 303
    assert _sign_in(site, provider, "eve").status_code == 403


@pytest.mark.parametrize("is_verified", [None, False, "false", 1.5])
def test_an_address_that_is_not_verified_brings_in_nobody(site: Site, provider: Provider, is_verified: object) -> None:
    _invite(site)
    provider.meddle(claims={"email_verified": is_verified})

    assert _sign_in(site, provider).status_code == 403


def test_what_the_token_does_not_say_is_asked_of_the_provider(
    open_site: Callable[..., Site], provider: Provider
) -> None:
    site = open_site(trusts_emails=True)
    _invite(site)
    provider.meddle(claims={"email": None})

    assert _sign_in(site, provider).status_code == 303


@pytest.mark.parametrize(
    "altered",
    [
        {"claims": {"nonce": "of another sign-in"}},
        {"claims": {"nonce": None}},
        {"claims": {"aud": ["another-client"]}},
        {"claims": {"aud": ["another-client"], "azp": "parlour"}},
        {"claims": {"aud": ["parlour", "another-client"], "azp": "another-client"}},
        {"claims": {"aud": None}},
        {"claims": {"iss": "https://elsewhere.example/"}},
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"exp": None}},
        {"claims": {"iat": 4_000_000_000}},
        {"claims": {"sub": None}},
        {"claims": {"sub": ""}},
        {"claims": {"at_hash": "b3RoZXI"}},
        {"key": "strange"},
        {"alg": "none"},
    ],
    ids=str,
)
def test_a_token_that_is_not_in_order_proves_nothing(site: Site, provider: Provider, altered: dict[str, Any]) -> None:
    _invite(site)
    browser = site.browser()
    provider.meddle(**{"claims": {}, **altered} | {"claims": {"email_verified": True, **altered.get("claims", {})}})

    answer = _sign_in(site, provider, browser=browser)

    assert answer.status_code == 401
    assert "did not say who you are" in answer.text
    assert "parlour_admin" not in browser.client.cookies
    assert browser.get("/admin").status_code == 303


def test_a_code_works_once(site: Site, provider: Provider) -> None:
    _invite(site)
    first, again = site.browser(), site.browser()
    back = _back(site, provider, first)
    cookie = first.client.cookies["parlour_admin_oidc"]

    assert first.get(back).status_code == 303
    again.client.cookies.set("parlour_admin_oidc", cookie)
    assert again.get(back).status_code == 401


def test_a_code_is_no_good_with_another_sign_ins_verifier(site: Site, provider: Provider) -> None:
    """PKCE: whoever catches the code cannot use it in a sign-in of their own."""
    _invite(site)
    caught = _back(site, provider, site.browser())
    thief = site.browser()
    own = _back(site, provider, thief, "eve")

    swapped = own.replace(own.partition("code=")[2].partition("&")[0], caught.partition("code=")[2].partition("&")[0])

    assert thief.get(swapped).status_code == 401


def test_who_comes_back_must_have_left_from_that_browser_and_lately(site: Site, provider: Provider) -> None:
    _invite(site)
    browser, other = site.browser(), site.browser()
    back = _back(site, provider, browser)
    other.get("/admin/oidc")

    assert site.browser().get(back).status_code == 400
    assert other.get(back).status_code == 400
    site.stage.clock.advance(handshake.LIFE.total_seconds() + 1)
    late = browser.get(back)

    assert late.status_code == 400
    assert "Begin anew" in late.text


def test_an_answer_of_another_provider_is_none(site: Site, provider: Provider) -> None:
    _invite(site)
    browser = site.browser()
    back = _back(site, provider, browser)
    cookie = browser.client.cookies["parlour_admin_oidc"]

    assert browser.get(back.partition("&iss=")[0] + "&iss=https://elsewhere.example/").status_code == 401
    browser.client.cookies.set("parlour_admin_oidc", cookie)
    assert browser.get(back.partition("&iss=")[0]).status_code == 401


def test_a_refusal_of_the_provider_is_told(site: Site, provider: Provider) -> None:
    browser = site.browser()
    state = browser.get("/admin/oidc").headers["location"].partition("state=")[2].partition("&")[0]

    assert browser.get(f"/admin/oidc/back?error=access_denied&state={state}").status_code == 401


def test_a_new_key_of_the_provider_is_found(site: Site, provider: Provider) -> None:
    _invite(site)
    assert _sign_in(site, provider).status_code == 303

    provider.meddle(key="new", claims={"email_verified": True})

    assert _sign_in(site, provider).status_code == 303


def test_a_wrong_client_secret_lets_nobody_in(open_site: Callable[..., Site], provider: Provider) -> None:
    site = open_site(client_secret="another", trusts_emails=True)
    _invite(site)

    assert _sign_in(site, provider).status_code == 401


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9/", "{address}", "{address}/nowhere/"])
def test_a_provider_that_is_away_or_another_one_is_told(
    open_site: Callable[..., Site], provider: Provider, issuer: str
) -> None:
    site = open_site(issuer=issuer.format(address=provider.address))

    answer = site.browser().get("/admin/oidc")

    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_a_provider_that_goes_away_in_between_lets_nobody_in(
    open_site: Callable[..., Site], provider: Provider, tmp_path: Path
) -> None:
    with running(tmp_path / "log") as short_lived:
        site = open_site(**short_lived.settings, trusts_emails=True)
        _invite(site)
        browser = site.browser()
        back = _back(site, short_lived, browser)

    assert browser.get(back).status_code == 503
    assert browser.get("/admin").status_code == 303


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"allowed_domains": ["example.com"]}, 303),
        ({"allowed_domains": ["Example.COM", "elsewhere.example"]}, 303),
        ({"allowed_domains": ["elsewhere.example"]}, 403),
        ({"allowed_domains": ["ple.com"]}, 403),
        ({"required_claims": {"groups": "parlour"}}, 303),
        ({"required_claims": {"groups": "owners"}}, 403),
        ({"required_claims": {"groups": "parlour", "hd": "example.com"}}, 403),
    ],
)
def test_the_settings_leave_identities_out(
    open_site: Callable[..., Site], provider: Provider, rules: dict[str, Any], status: int
) -> None:
    site = open_site(**rules)
    _invite(site)
    provider.meddle(claims={"email_verified": True, "groups": ["staff", "parlour"]})

    assert _sign_in(site, provider).status_code == status


def test_who_is_blocked_or_removed_does_not_come_in_any_more(site: Site, provider: Provider) -> None:
    _invite(site)
    ann, browser = site.person("ann"), site.browser()
    (login,) = site.logins.list(site.workspace_id)
    parts = site.stage.platform
    Operators(parts.database, parts.privacy, site.workspace_id, "command:test").set_person(login.id, ann)
    assert _sign_in(site, provider, browser=browser).status_code == 303

    block(parts.database, ann)

    assert browser.get("/admin").status_code == 303
    assert _sign_in(site, provider).status_code == 403
    site.logins.remove(site.workspace_id, login.id, actor="command:test")
    assert _sign_in(site, provider).status_code == 403


def test_coming_back_may_not_be_tried_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BY_ADDRESS", 2)

    answers = [site.browser().get("/admin/oidc/back?code=x&state=y").status_code for _ in range(3)]

    assert answers == [400, 400, 429]


def test_who_guesses_at_passwords_keeps_nobody_from_coming_by_the_provider(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    _invite(site)
    monkeypatch.setattr(attempts, "BY_ADDRESS", 2)
    for number in range(5):
        site.browser().sign_in(f"nobody {number}")

    assert _sign_in(site, provider).status_code == 303


def test_without_a_provider_there_is_no_such_page(open_site: Callable[..., Site]) -> None:
    site = open_site(issuer="")

    assert site.browser().get("/admin/oidc").status_code == 404
    assert "/admin/oidc" not in site.browser().get("/admin/signin").text
