"""Lists, files and keys to the API in a real browser: found, narrowed, downloaded, made and taken back."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from parlour.admin import lists
from parlour.admin.rights import Right
from parlour.people import users
from parlour.people.finding import find_user
from parlour.people.states import Role
from parlour.store.errors import DatabaseUnavailable
from tests.browser.admin import LOOKS, LOOKS_IDS, is_fit, press, served, sign_in_first
from tests.support.stage import Stage, make_template, open_stage

pytestmark = pytest.mark.browser

PEOPLE = ("ann", "bob", "cleo")
LISTS = (
    "people",
    "pairing",
    "conversations",
    "feedback",
    "holds",
    "receipts",
    "audit",
    "stuck",
    "skills",
    "jobs",
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(make_template(tmp_path / "data")) as opened:
        for name in PEOPLE:
            opened.answered(f"Hello, I am {name}.", sender=name)
        yield opened


@pytest.fixture(params=LOOKS, ids=LOOKS_IDS)
def page(browser: Browser, request: pytest.FixtureRequest, stage: Stage) -> Iterator[Page]:
    """The first owner's, signed in and at the overview."""
    locale, scheme = request.param
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport={"width": 1100, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    with served(stage) as url:
        sign_in_first(page, stage, url)
        page.goto(f"{url}/admin")
        yield page
    context.close()


def _id_of(stage: Stage, name: str) -> str:
    parts = stage.platform
    return str(find_user(parts.database, parts.privacy, f"telegram:{name}"))


def _go(page: Page, path: str) -> None:
    page.locator(f'nav a[href="/admin/{path}"]').click()
    page.wait_for_url(f"**/admin/{path}")


def _downloaded(page: Page, link: str) -> Path:
    """What the link's file holds."""
    with page.expect_download() as download:
        page.locator(link).first.click()
    return Path(download.value.path())


def test_people_are_found_by_their_address_and_narrowed_by_state_and_role(page: Page, stage: Stage) -> None:
    ann, bob = _id_of(stage, "ann"), _id_of(stage, "bob")
    users.block(stage.platform.database, find_user(stage.platform.database, stage.platform.privacy, bob))
    _go(page, "people")
    page.locator("input[name=who]").fill("telegram:ann")
    page.locator('form[action$="/find"] button').click()
    page.wait_for_url(f"**/admin/people/{ann}")
    is_fit(page)

    _go(page, "people")
    expect(page.locator("main tbody tr")).to_have_count(3)
    page.locator("select[name=state]").select_option("blocked")
    page.locator('form[action="/admin/people"] button').click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    expect(page.locator("main tbody a")).to_have_attribute("href", f"/admin/people/{bob}")
    is_fit(page)
    with _downloaded(page, 'a[href*="people.csv"]').open(encoding="utf-8-sig", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [bob]
    page.goto(page.url.partition("/admin")[0] + "/admin/people/find?who=telegram%3Anobody")
    expect(page.locator("main .problem")).to_be_visible()
    is_fit(page)


def test_every_list_has_its_file(page: Page, stage: Stage) -> None:
    root = page.url.partition("/admin")[0]
    for name in LISTS:
        page.goto(f"{root}/admin/{name}")
        found = _downloaded(page, f'main a[href^="/admin/{name}.csv"]').read_text(encoding="utf-8-sig")
        assert found.splitlines(), name
    page.goto(f"{root}/admin/conversations")
    page.locator("input[name=user]").fill("telegram:cleo")
    page.locator('form[action="/admin/conversations"] button').click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    with _downloaded(page, 'a[href*="conversations.csv"]').open(encoding="utf-8-sig", newline="") as file:
        assert [row["user"] for row in csv.DictReader(file)] == [_id_of(stage, "cleo")]


def test_a_file_that_breaks_off_on_the_way_is_a_failed_download(
    page: Page, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = users.list_users
    monkeypatch.setattr(lists, "CSV_BATCH", 1)

    def fails(*parts: Any, **wanted: Any) -> list[users.UserView]:
        if str(wanted["after"]) == _id_of(stage, "bob"):
            raise DatabaseUnavailable
        return whole(*parts, **wanted)

    monkeypatch.setattr(users, "list_users", fails)
    _go(page, "people")

    with page.expect_download() as download:
        page.locator('a[href*="people.csv"]').click()

    assert download.value.failure() is not None


def test_older_messages_open_for_the_same_reason(page: Page, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = stage.answered("The newest question.", sender="ann")
    monkeypatch.setattr("parlour.turns.break_glass.MOST", 2)
    page.goto(f"{page.url.partition('/admin')[0]}/admin/conversations/{taken.conversation_id}")
    press(page, "/open", reason="Ann complains of an answer.")
    expect(page.locator("main")).to_contain_text("The newest question.")
    expect(page.locator("main")).not_to_contain_text("Hello, I am ann.")

    press(page, "/open")

    expect(page.locator("main")).to_contain_text("Hello, I am ann.")
    expect(page.locator('main form[action$="/open"]')).to_have_count(0)


def test_a_conversation_is_held_found_by_its_hold_and_let_go(page: Page, stage: Stage) -> None:
    conversation = str(stage.turns()[0].conversation_id)
    _go(page, "holds")
    page.locator("select[name=kind]").select_option("conversation")
    press(page, "/admin/holds", who="no id", reason="Case 17")
    expect(page.locator("#problem-who")).to_be_visible()
    page.locator("select[name=kind]").select_option("conversation")
    press(page, "/admin/holds", who=conversation, reason="Case 17")
    page.wait_for_url("**/admin/holds?done=held")

    page.locator("input[name=on]").fill(conversation)
    page.locator("form[role=search] button").click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    expect(page.locator("main tbody a")).to_have_attribute("href", f"/admin/conversations/{conversation}")
    is_fit(page)
    press(page, "/lift", reason="Case 17 is closed")

    page.wait_for_url("**/admin/holds?done=lifted")
    expect(page.locator("main tbody tr")).to_have_count(0)


def test_whoever_was_erased_is_found_by_their_id_with_the_receipt_as_a_file(page: Page, stage: Stage) -> None:
    ann = _id_of(stage, "ann")
    done = stage.platform.eraser.erase(find_user(stage.platform.database, stage.platform.privacy, ann), actor="x")
    _go(page, "people")
    page.locator("input[name=who]").fill(ann)
    page.locator('form[action$="/find"] button').click()
    expect(page.locator("h1")).to_be_visible()
    is_fit(page)
    page.locator('main a[href="/admin/receipts"]').click()
    page.locator("input[name=who]").fill(ann)
    page.locator("form[role=search] button").click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    is_fit(page)

    receipt = _downloaded(page, f'main a[href="/admin/receipts/{done.receipt_id}"]').read_text(encoding="utf-8")

    assert receipt == done.receipt
    assert json.loads(receipt)["subjects"] == [ann]


def test_an_operators_role_address_and_person_are_changed(page: Page, stage: Stage) -> None:
    ann = _id_of(stage, "ann")
    _go(page, "operators")
    press(page, "/admin/operators", name="Otto")
    _go(page, "operators")
    details = page.locator("details", has_text="Otto")
    for form, field, value in (("email", "email", "otto@example.org"), ("person", "person", "telegram:ann")):
        details.locator("summary").click()
        details.locator(f'form[action$="/{form}"] input[name={field}]').fill(value)
        details.locator(f'form[action$="/{form}"] button').click()
        page.wait_for_url("**/admin/operators?done=*")
        is_fit(page)
        _go(page, "operators")
    details.locator("summary").click()
    expect(details.locator('form[action$="/person"] input[name=person]')).to_have_value(ann)
    details.locator("select[name=role]").select_option("auditor")
    details.locator('form[action$="/role"] button').click()
    page.wait_for_url("**/admin/operators?done=*")
    details.locator("summary").click()
    expect(details.locator("select[name=role]")).to_have_value(Role.AUDITOR.value)


def test_a_token_is_made_shown_once_and_revoked(page: Page) -> None:
    _go(page, "tokens")
    page.locator("details summary").click()
    page.locator(f'input[type=checkbox][name$="{Right.SEE_PEOPLE.value}"]').check()
    press(page, "/admin/tokens", name="Nightly report", days="7")
    expect(page.locator("div.done code")).to_contain_text("parlour_")

    _go(page, "tokens")
    expect(page.locator("main")).not_to_contain_text("parlour_")
    row = page.locator("main tbody tr", has_text="Nightly report")
    row.locator("button").click()

    page.wait_for_url("**/admin/tokens?done=*")
    is_fit(page)
    expect(row.locator("button")).to_have_count(0)


def test_who_signs_out_is_asked_to_sign_in_again(page: Page) -> None:
    inside = page.url
    page.locator('form[action="/admin/signout"] button').click()
    page.wait_for_url("**/admin/signin*")
    is_fit(page)

    page.goto(inside)

    assert "/admin/signin" in page.url
    page.go_back()
    expect(page.locator("input[name=password]")).to_be_visible()
