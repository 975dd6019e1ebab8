"""Signing in: the first owner's link, passwords, codes, sessions, and how often it may be tried."""

import pyotp
import pytest

from parlour.admin.signin import attempts, logins, sessions
from parlour.admin.signin.links import LIFE, first_link
from parlour.people.states import Role
from parlour.privacy import audit
from tests.unit.admin.pages.conftest import PASSWORD, Site


def _first(site: Site, token: str, **more: str) -> object:
    fields = {"name": "Ann", "password": PASSWORD, "again": PASSWORD, "is_first": "yes", **more}
    return site.browser().post("/admin/first", token=token, **fields)


def _status(answer: object) -> int:
    return answer.status_code  # type: ignore[attr-defined]


def test_the_first_owner_sets_a_password_by_a_link_and_is_signed_in(site: Site) -> None:
    browser, token = site.browser(), site.first_token()

    shown = browser.get(f"/admin/first?token={token}")
    set_ = browser.post("/admin/first", token=token, name="Ann", password=PASSWORD, again=PASSWORD, is_first="yes")

    assert shown.status_code == 200
    assert set_.headers["location"] == "/admin?done=password"
    assert browser.get("/admin").status_code == 200
    assert "Ann" in browser.get("/admin/operators").text


def test_a_first_link_works_once_and_looking_does_not_use_it_up(site: Site) -> None:
    token = site.first_token()
    site.browser().get(f"/admin/first?token={token}")

    answers = [_status(_first(site, token)), _status(_first(site, token, name="Eve"))]

    assert answers == [303, 410]
    assert [one.name for one in site.logins.list(site.workspace_id)] == ["Ann"]


def test_a_link_past_its_time_or_replaced_by_a_newer_one_is_spent(site: Site) -> None:
    replaced, token = site.first_token(), site.first_token()
    assert _status(_first(site, replaced)) == 410

    site.stage.clock.advance(LIFE.total_seconds() + 1)

    assert _status(_first(site, token)) == 410
    assert site.browser().get(f"/admin/first?token={token}").status_code == 410


def test_there_is_no_first_link_once_somebody_can_sign_in(site: Site) -> None:
    _first(site, site.first_token())

    parts = site.stage.platform
    assert first_link(parts.database, parts.privacy, site.workspace_id) is None


@pytest.mark.parametrize("fields", [{"password": "short", "again": "short"}, {"again": "another"}, {"name": " "}])
def test_a_password_or_name_that_will_not_do_leaves_the_link_as_it_is(site: Site, fields: dict[str, str]) -> None:
    token = site.first_token()

    assert _status(_first(site, token, **fields)) == 422
    assert _status(_first(site, token)) == 303


def test_who_signs_in_goes_where_they_wanted_and_nowhere_else(site: Site) -> None:
    site.signed_in()
    browser = site.browser()
    asked = browser.get("/admin/people?state=blocked")

    def going_to(next_: str) -> str:
        sent = browser.post("/admin/signin", name="owner of None", password=PASSWORD, next=next_)
        return str(sent.headers["location"])

    assert asked.headers["location"] == "/admin/signin?next=/admin/people%3Fstate%3Dblocked"
    assert going_to("/admin/people?state=blocked") == "/admin/people?state=blocked"
    for elsewhere in ("//evil.test", "https://evil.test", "/admin\\@evil.test", "/administrator", "/admin/\n/evil"):
        assert going_to(elsewhere) == "/admin"


@pytest.mark.parametrize(("name", "password"), [("owner of None", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(site: Site, name: str, password: str) -> None:
    site.signed_in()

    answer = site.browser().sign_in(name, password)

    assert answer.status_code == 401
    assert "Name, password or code is not right." in answer.text
    assert "set-cookie" not in answer.headers


def test_names_are_found_however_they_are_typed(site: Site) -> None:
    site.signed_in()

    assert site.browser().sign_in("  \uff2fWNER of none ").status_code == 303


def test_the_cookie_is_out_of_scripts_reach_and_for_https_where_that_is_set(open_site: object) -> None:
    site: Site = open_site(web={"is_secure": True})  # type: ignore[operator]
    site.signed_in()

    cookie = site.browser().sign_in("owner of None").headers["set-cookie"].lower()

    assert all(word in cookie for word in ("httponly", "samesite=lax", "secure", "path=/admin"))


def test_sign_in_is_refused_after_too_many_tries_and_allowed_after_a_while(site: Site) -> None:
    site.signed_in()
    tries = [site.browser().sign_in("owner of None", "wrong").status_code for _ in range(attempts.BY_NAME_AND_ADDRESS)]

    assert set(tries) == {401}
    assert site.browser().sign_in("owner of None").status_code == 429
    site.stage.clock.advance(attempts.WINDOW.total_seconds() + 1)
    assert site.browser().sign_in("owner of None").status_code == 303


def test_one_address_is_limited_whatever_names_it_tries(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BY_ADDRESS", 3)

    answers = [site.browser().sign_in(f"name {number}").status_code for number in range(4)]

    assert answers == [401, 401, 401, 429]


def test_who_guesses_at_names_shuts_out_nobody_else_of_their_address(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.signed_in()
    monkeypatch.setattr(attempts, "BY_ADDRESS", 3)
    for number in range(5):
        site.browser().sign_in(f"nobody {number}")

    wrong, right = site.browser().sign_in("owner of None", "wrong"), site.browser().sign_in("owner of None")

    assert (wrong.status_code, right.status_code) == (429, 303)
    guesses = [site.browser().sign_in("owner of None", "wrong") for _ in range(attempts.BY_NAME_AND_ADDRESS)]
    assert {one.status_code for one in guesses} == {429}
    assert site.browser().sign_in("owner of None").status_code == 429


def test_an_address_makes_only_so_many_passwords_be_computed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.signed_in()
    monkeypatch.setattr(attempts, "BY_ADDRESS", 3)
    monkeypatch.setattr(attempts, "BY_NAME_AND_ADDRESS", 2)
    computed: list[str] = []

    def is_right(_: str | None, password: str) -> bool:
        computed.append(password)
        return False

    monkeypatch.setattr(logins, "is_right", is_right)

    for number in range(8):
        site.browser().sign_in(f"nobody {number}", "of nobody")
        site.browser().sign_in("owner of None", "of the owner")

    assert (computed.count("of nobody"), computed.count("of the owner")) == (2, 2)


def test_sign_ins_and_failed_ones_stand_in_the_audit_log_without_what_was_typed(site: Site) -> None:
    site.signed_in()
    site.browser().sign_in("owner of None", "wrong")
    site.browser().sign_in("a password in the wrong field", "x")
    site.browser().sign_in("owner of None")

    parts = site.stage.platform
    entries = audit.tail(parts.database, parts.privacy)

    assert [one.action for one in entries[:3]] == ["login.sign-in", "login.sign-in-failed", "login.sign-in-failed"]
    assert entries[1].actor == "login:unknown"
    assert not audit.verify(parts.database, parts.privacy).findings


def test_a_session_ends_by_signing_out_by_time_and_when_it_is_not_used(site: Site) -> None:
    out, unused = site.signed_in(), site.signed_in(Role.ADMIN)
    token = out.client.cookies["parlour_admin"]

    out.send("/admin/signout")
    out.client.cookies.set("parlour_admin", token)
    site.stage.clock.advance(sessions.UNUSED.total_seconds())

    assert out.get("/admin").status_code == 303
    assert unused.get("/admin").status_code == 303


def test_a_used_session_ends_in_the_end_too(site: Site) -> None:
    browser, last = site.signed_in(), 0
    for _ in range(15):
        site.stage.clock.advance(sessions.UNUSED.total_seconds() - 60)
        last = browser.get("/admin").status_code

    assert last == 303


def test_a_new_password_ends_all_other_sessions(site: Site) -> None:
    here, there = site.signed_in(), site.browser()
    there.sign_in("owner of None")

    changed = here.send("/admin/account/password", old=PASSWORD, new=PASSWORD + "!", again=PASSWORD + "!")

    assert changed.headers["location"] == "/admin/account?done=password"
    assert (here.get("/admin").status_code, there.get("/admin").status_code) == (200, 303)
    assert site.browser().sign_in("owner of None").status_code == 401
    assert site.browser().sign_in("owner of None", PASSWORD + "!").status_code == 303


def test_codes_are_asked_for_once_set_up_and_none_is_taken_twice(site: Site) -> None:
    browser, secret = site.signed_in(), pyotp.random_base32()
    totp = pyotp.TOTP(secret)

    def code() -> str:
        return totp.at(site.stage.clock.now())

    wrong = browser.send("/admin/account/codes", secret=secret, password=PASSWORD, code="000000x")
    right = browser.send("/admin/account/codes", secret=secret, password=PASSWORD, code=code())
    replayed = site.browser().sign_in("owner of None", code=code())
    site.stage.clock.advance(60)

    assert (wrong.status_code, right.status_code, replayed.status_code) == (422, 303, 401)
    assert site.browser().sign_in("owner of None").status_code == 401
    assert site.browser().sign_in("owner of None", code=code()).status_code == 303
    assert site.browser().sign_in("owner of None", code=code()).status_code == 401


def test_passwords_tokens_and_names_lie_nowhere_in_the_open(site: Site) -> None:
    browser = site.signed_in()
    token = browser.client.cookies["parlour_admin"]

    stored = b"".join(path.read_bytes() for path in site.stage.platform.settings.data_dir.rglob("*.sqlite*"))

    assert b"$argon2id$" in stored
    for secret in (PASSWORD, token, "owner of None"):
        assert secret.encode() not in stored
