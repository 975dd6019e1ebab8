"""Every page and every form as nobody, as each role, from elsewhere, and with another workspace's ids."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from parlour.admin import site as pages
from parlour.admin.frame import STATIC
from parlour.admin.rights import Right, may
from parlour.admin.texts import GROUPS, TEXTS
from parlour.people.states import Role
from parlour.store.ids import new_id
from tests.unit.admin.pages.conftest import Site

OPEN = {"/admin/signin", "/admin/first", "/admin/oidc", "/admin/oidc/back"}


def _routes(method: str) -> Iterator[str]:
    for router in pages.PAGES:
        for route in router.routes:
            if isinstance(route, APIRoute) and method in (route.methods or ()) and route.path not in OPEN:
                yield route.path


def _filled(path: str, some_id: object) -> str:
    return (
        path.replace("{user_id}", str(some_id))
        .replace("{login_id}", str(some_id))
        .replace("{session_id}", str(some_id))
        .replace("{token_id}", str(some_id))
        .replace("{receipt_id}", str(some_id))
    )


def test_nobody_sees_any_page_or_sends_any_form(site: Site) -> None:
    browser = site.browser()

    for path in _routes("GET"):
        assert browser.get(_filled(path, new_id())).headers["location"].startswith("/admin/signin"), path
    for path in _routes("POST"):
        assert browser.post(_filled(path, new_id())).headers["location"] == "/admin/signin", path


@pytest.mark.parametrize("role", [Role.GUEST, Role.MEMBER, Role.AUDITOR])
def test_who_may_change_nothing_can_send_no_form_but_their_own_accounts(site: Site, role: Role) -> None:
    ann = site.person("ann")
    browser = site.signed_in(role)
    own = ("/admin/signout", "/admin/account")

    for path in _routes("POST"):
        if not path.startswith(own):
            assert browser.post(_filled(path, ann)).status_code == 403, path


PAGES = {
    "/admin": Right.SEE_OVERVIEW,
    "/admin/people": Right.SEE_PEOPLE,
    "/admin/people.csv": Right.SEE_PEOPLE,
    "/admin/pairing": Right.SEE_PEOPLE,
    "/admin/pairing.csv": Right.SEE_PEOPLE,
    "/admin/stuck.csv": Right.SEE_OPERATION,
    "/admin/operators": Right.MANAGE_OPERATORS,
    "/admin/tokens": Right.MANAGE_OPERATORS,
    "/admin/account": Right.HAVE_ACCOUNT,
}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_sees_what_its_rights_say(site: Site, role: Role) -> None:
    browser = site.signed_in(role)

    for path, right in PAGES.items():
        assert browser.get(path).status_code == (200 if may(role, right) else 403), path


def test_a_form_from_another_site_or_without_the_sessions_token_is_refused(site: Site) -> None:
    ann = site.person("ann")
    browser, other = site.signed_in(), site.signed_in(Role.ADMIN)
    path = f"/admin/people/{ann}/block"

    assert browser.post(path).status_code == 403
    assert browser.post(path, csrf="0" * 64).status_code == 403
    assert browser.post("/admin/signin", site="cross-site", name="x", password="y").status_code == 403
    # Another session's token is of no use.
    theirs = other.get("/admin/account").text.partition('name="csrf" value="')[2][:64]
    assert browser.post(path, csrf=theirs).status_code == 403
    assert "active" in browser.get(f"/admin/people/{ann}").text


def test_another_workspaces_people_are_like_nobody(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in(Role.OWNER, site.other_workspace())

    for path in _routes("GET"):
        if "{user_id}" in path:
            there, nowhere = (browser.get(_filled(path, who)) for who in (ann, new_id()))
            # But for the address, to which the choice of language leads back.
            texts = {re.sub(r"back=[^\"]*", "", one.text) for one in (there, nowhere)}
            assert (there.status_code, len(texts)) == (404, 1), path
    for path in _routes("POST"):
        if "{user_id}" in path:
            form = {"role": "guest", "reason": "why", "word": str(ann)[-6:]}
            assert browser.send(_filled(path, ann), **form).status_code == 404, path
    assert str(ann) not in browser.get("/admin/people").text
    assert str(ann) not in browser.get("/admin/people.csv").text
    assert browser.get("/admin/people/find?who=telegram:ann").status_code == 404


def test_another_workspaces_operators_cannot_be_removed(site: Site) -> None:
    ours = site.signed_in()
    theirs = site.signed_in(Role.OWNER, site.other_workspace())
    (login,) = site.logins.list(site.workspace_id)

    for change in ("remove", "role", "email", "person", "sessions", "codes", "link"):
        form = {"role": "auditor", "email": "eve@example.com"}
        assert theirs.send(f"/admin/operators/{login.id}/{change}", **form).status_code == 404, change
    assert ours.get("/admin").status_code == 200


def test_no_page_has_anything_inline_and_all_forbid_it(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in()

    for path in (*PAGES, f"/admin/people/{ann}", f"/admin/people/{ann}/erase", "/admin/signin"):
        shown = browser.get(path)
        if path.endswith(".csv"):
            continue
        policy = shown.headers["content-security-policy"]
        assert "'unsafe" not in policy
        assert "default-src 'none'" in policy
        assert not any(word in shown.text for word in ("<script", "<style", " style=", " onclick="))
        assert shown.headers["cache-control"] == "no-store"


def test_the_style_sheet_is_served_and_other_names_are_not(site: Site) -> None:
    browser = site.browser()

    assert browser.get(STATIC["admin.css"].address).headers["content-type"].startswith("text/css")
    assert browser.get("/admin/static/../site.py").status_code == 404


def test_pages_speak_the_readers_language_and_the_one_they_choose(site: Site) -> None:
    browser = site.signed_in()

    wished = browser.get("/admin/people", **{"Accept-Language": "fr;q=1, zh-CN;q=0.9, en;q=0.1"}).text
    browser.get("/admin/language?to=zh&back=/admin/people")
    chosen = browser.get("/admin/people").text

    assert '<html lang="zh">' in wished
    assert "用户" in chosen
    assert browser.get("/admin/language?to=en&back=//evil.test").headers["location"] == "/admin"


def test_both_languages_say_the_same_things() -> None:
    for group in GROUPS:
        assert group["en"].keys() == group["zh"].keys()
    assert len(TEXTS["en"]) == sum(len(group["en"]) for group in GROUPS)
