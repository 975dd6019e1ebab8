"""What operators do in the admin pages, in a real browser: actions are pressed, and each page behind them looked at."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.admin import LOOKS, LOOKS_IDS, PASSWORD, is_fit, served, sign_in_first
from tests.support.stage import Stage, make_template, open_stage

pytestmark = pytest.mark.browser

NEW_PASSWORD = "another long enough phrase"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(make_template(tmp_path_factory.mktemp("actions") / "data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(stage: Stage) -> Iterator[str]:
    with served(stage) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser: Browser, stage: Stage, url: str) -> Iterator[Page]:
    """The first owner's, signed in once. Languages and colours change from test to test."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1100, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in_first(page, stage, url)
    yield page
    context.close()


@pytest.fixture(params=LOOKS, ids=LOOKS_IDS)
def looks(request: pytest.FixtureRequest, page: Page) -> None:
    """How the page is seen."""
    locale, scheme = request.param
    page.set_extra_http_headers({"Accept-Language": locale})
    page.emulate_media(color_scheme=scheme)


def _press(page: Page, action: str, **fields: str) -> None:
    """Fill the form that goes there and send it; the page behind it must be fit."""
    form = page.locator(f'form[action$="{action}"]').first
    for name, value in fields.items():
        form.locator(f'input[name="{name}"]:not([type=hidden])').fill(value)
    form.locator("button").first.click()
    page.wait_for_load_state()
    is_fit(page)


def _picture(page: Page, folder: Path, name: str) -> None:
    """For the docs: what an English reader sees in the light."""
    folder.mkdir(parents=True, exist_ok=True)
    if page.evaluate("matchMedia('(prefers-color-scheme: light)').matches"):
        page.screenshot(path=folder / f"admin-{name}.png", full_page=True)


@pytest.mark.usefixtures("looks")
def test_a_person_is_blocked_let_in_again_exported_and_erased(
    page: Page, stage: Stage, url: str, screenshots: Path
) -> None:
    stage.answered("hello", sender="ann")
    page.goto(f"{url}/admin/people")
    is_fit(page)
    _picture(page, screenshots, "people")
    page.locator('main table a[href^="/admin/people/"]').first.click()
    is_fit(page)
    _picture(page, screenshots, "person")
    _press(page, "/block")
    _press(page, "/unblock")
    page.locator("select[name=role]").select_option("guest")
    _press(page, "/role")
    expect(page.locator("select[name=role]")).to_have_value("guest")
    with page.expect_download() as download:
        form = page.locator('form[action$="/export"]')
        form.locator("input[name=reason]").fill("They asked for it.")
        form.locator("button").click()
    assert download.value.suggested_filename.startswith("export-")

    page.locator('a[href$="/erase"]').click()
    is_fit(page)
    user_id = page.url.split("/")[-2]
    _press(page, "/erase", word=user_id[-6:], reason="They asked for it.")

    expect(page.locator("main")).to_contain_text(user_id)


@pytest.mark.usefixtures("looks")
def test_a_rule_is_looked_at_set_cleared_and_what_is_past_its_time_deleted(
    page: Page, stage: Stage, url: str, screenshots: Path
) -> None:
    stage.answered("hello", sender="ben")
    page.goto(f"{url}/admin/retention")
    is_fit(page)
    _picture(page, screenshots, "retention")
    page.locator('main table a[href*="data_class=message"], main table a[href*="message"]').first.click()
    is_fit(page)
    _press(page, "/retention/preview", days="45", reason="Enough.")
    _press(page, "/retention/set")
    page.wait_for_url("**/admin/retention?done=rule_set")
    page.locator('a[href="/admin/retention/run"]').click()
    is_fit(page)
    _press(page, "/retention/run")


@pytest.mark.usefixtures("looks")
def test_a_hold_is_placed_and_lifted(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/holds")
    page.locator("select[name=kind]").select_option("workspace")
    _press(page, "/admin/holds", reason="A case is before the court.")
    page.wait_for_url("**/admin/holds?done=held")

    _press(page, "/lift", reason="The case is over.")

    page.wait_for_url("**/admin/holds?done=lifted")


@pytest.mark.usefixtures("looks")
def test_keys_are_made_and_wrapped_anew_and_the_audit_log_is_looked_through(
    page: Page, url: str, screenshots: Path
) -> None:
    page.goto(f"{url}/admin/keys")
    _press(page, "/keys/rotate")
    _press(page, "/keys/rotate")
    page.wait_for_url("**/admin/keys?done=rotated")
    _press(page, "/keys/rewrap")
    page.goto(f"{url}/admin/audit")
    is_fit(page)
    _press(page, "/audit/verify")
    _picture(page, screenshots, "audit")
    page.locator("input[name=action]").fill("keys.")
    page.locator('form[action="/admin/audit"] button').click()
    expect(page.locator("main table")).to_contain_text("keys.rotate")


@pytest.mark.usefixtures("looks")
def test_a_conversation_opens_with_a_reason_alone(page: Page, stage: Stage, url: str) -> None:
    stage.answered("what I said", sender="cleo")
    page.goto(f"{url}/admin/conversations")
    is_fit(page)
    page.locator('main table a[href^="/admin/conversations/"]').first.click()
    is_fit(page)
    _press(page, "/open", reason="short")
    expect(page.locator("#problem-reason")).to_be_visible()

    _press(page, "/open", reason="Cleo complains of an answer.")

    expect(page.locator("main")).to_contain_text("what I said")


@pytest.mark.usefixtures("looks")
def test_an_operator_is_invited_and_removed(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/operators")
    is_fit(page)
    _press(page, "/admin/operators", name="Otto")
    expect(page.locator("div.done code")).to_contain_text("/admin/")

    page.locator("details", has_text="Otto").locator("summary").click()
    page.locator("details", has_text="Otto").locator('form[action$="/remove"] button').click()

    page.wait_for_url("**/admin/operators?done=removed")
    is_fit(page)


@pytest.mark.usefixtures("looks")
def test_a_turn_that_waits_is_found_and_dropped(page: Page, stage: Stage, url: str) -> None:
    taken = stage.say("waits", sender="dora")
    page.goto(f"{url}/admin/stuck")
    is_fit(page)
    page.locator("input[name=turn]").fill(str(taken.turn_id))
    page.locator('form[action="/admin/turns"] button').click()
    is_fit(page)

    _press(page, "/drop")

    page.wait_for_url("**?done=dropped")


def test_codes_are_set_up_and_the_password_is_changed(page: Page, stage: Stage, url: str) -> None:
    page.goto(f"{url}/admin/account")
    is_fit(page)
    _press(page, "/codes/new")
    secret = page.locator("input[name=secret]").get_attribute("value") or ""
    _press(page, "/account/codes", code=pyotp.TOTP(secret).at(stage.clock.now()), password=PASSWORD)
    page.wait_for_url("**/admin/account?done=codes")
    _press(page, "/codes/stop", password=PASSWORD)
    page.wait_for_url("**/admin/account?done=codes_off")

    _press(page, "/account/password", old=PASSWORD, new=NEW_PASSWORD, again=NEW_PASSWORD)

    page.wait_for_url("**/admin/account?done=password")
