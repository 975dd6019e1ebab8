"""What operators do in the admin pages, in a real browser: actions are pressed, and each page behind them looked at."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from parlour.people import users
from parlour.people.admit import Access, Person, admit
from parlour.people.states import UserState
from parlour.store.ids import new_id
from parlour.store.models import Feedback
from parlour.turns.ports import Sender
from tests.browser.admin import LOOKS, LOOKS_IDS, PASSWORD, is_fit, press, served, sign_in_first
from tests.support.skill_book import a_job
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
    press(page, "/block")
    press(page, "/unblock")
    page.locator("select[name=role]").select_option("guest")
    press(page, "/role")
    expect(page.locator("select[name=role]")).to_have_value("guest")
    with page.expect_download() as download:
        form = page.locator('form[action$="/export"]')
        form.locator("input[name=reason]").fill("They asked for it.")
        form.locator("button").click()
    assert download.value.suggested_filename.startswith("export-")

    page.locator('a[href$="/erase"]').click()
    is_fit(page)
    user_id = page.url.split("/")[-2]
    press(page, "/erase", word=user_id[-6:], reason="They asked for it.")

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
    press(page, "/retention/preview", days="45", reason="Enough.")
    press(page, "/retention/set")
    page.wait_for_url("**/admin/retention?done=rule_set")
    page.locator('a[href="/admin/retention/run"]').click()
    is_fit(page)
    press(page, "/retention/run")


@pytest.mark.usefixtures("looks")
def test_a_hold_is_placed_and_lifted(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/holds")
    page.locator("select[name=kind]").select_option("workspace")
    press(page, "/admin/holds", reason="A case is before the court.")
    page.wait_for_url("**/admin/holds?done=held")

    press(page, "/lift", reason="The case is over.")

    page.wait_for_url("**/admin/holds?done=lifted")


@pytest.mark.usefixtures("looks")
def test_keys_are_made_and_wrapped_anew_and_the_audit_log_is_looked_through(
    page: Page, url: str, screenshots: Path
) -> None:
    page.goto(f"{url}/admin/keys")
    press(page, "/keys/rotate")
    press(page, "/keys/rotate")
    page.wait_for_url("**/admin/keys?done=rotated")
    press(page, "/keys/rewrap")
    page.goto(f"{url}/admin/audit")
    is_fit(page)
    press(page, "/audit/verify")
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
    press(page, "/open", reason="short")
    expect(page.locator("#problem-reason")).to_be_visible()

    press(page, "/open", reason="Cleo complains of an answer.")

    expect(page.locator("main")).to_contain_text("what I said")


@pytest.mark.usefixtures("looks")
def test_an_operator_is_invited_and_removed(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/operators")
    is_fit(page)
    press(page, "/admin/operators", name="Otto")
    expect(page.locator("div.done code")).to_contain_text("/admin/")

    otto = page.locator("details", has_text="Otto")
    otto.locator("summary").click()
    is_fit(page)
    otto.locator('form[action$="/link"] button').click()
    expect(page.locator("div.done code")).to_contain_text("/admin/first?token=")
    otto.locator("summary").click()
    otto.locator("input[name=shut]").check()
    otto.locator('form[action$="/sessions"] button').click()
    page.wait_for_url("**/admin/operators?done=operator")
    otto.locator("summary").click()
    otto.locator('form[action$="/remove"] button').click()

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

    press(page, "/drop")

    page.wait_for_url("**?done=dropped")


@pytest.mark.usefixtures("looks")
def test_one_who_waits_is_let_in_by_their_code_and_another_refused(page: Page, stage: Stage, url: str) -> None:
    first, second = (_waiting(stage, f"{name} {new_id().hex[-6:]}") for name in ("Fay", "Gil"))
    page.goto(f"{url}/admin/pairing")
    is_fit(page)
    expect(page.locator("main tbody tr")).to_have_count(2)
    press(page, "/pairing/approve", code="AAAA-BBBB")
    expect(page.locator("main [role=alert]")).to_be_visible()

    press(page, "/pairing/approve", code=first.pairing_code or "")
    page.wait_for_url("**/admin/pairing?done=approved")
    press(page, f"/pairing/{second.user_id}/refuse")

    page.wait_for_url("**/admin/pairing?done=refused")
    expect(page.locator("main tbody tr")).to_have_count(0)
    assert [_state(stage, one) for one in (first, second)] == [UserState.ACTIVE, UserState.BLOCKED]


@pytest.mark.usefixtures("looks")
def test_thumbs_are_listed_narrowed_and_lead_to_their_conversation(page: Page, stage: Stage, url: str) -> None:
    good, bad = (stage.answered("hello", sender=sender) for sender in ("hal", "ida"))
    with stage.platform.database.begin() as session:
        for taken, is_positive in ((good, True), (bad, False)):
            session.merge(
                Feedback(
                    id=new_id(), turn_id=taken.turn_id, user_id=stage.turn(taken).user_id, is_positive=is_positive,
                    created_at=stage.clock.now(),
                )
            )  # fmt: skip
    page.goto(f"{url}/admin/feedback")
    is_fit(page)
    expect(page.locator("main tbody")).to_contain_text(str(good.conversation_id))

    page.locator("select[name=thumb]").select_option("down")
    page.locator('form[action="/admin/feedback"] button').click()
    is_fit(page)
    expect(page.locator("main tbody")).not_to_contain_text(str(good.conversation_id))
    page.locator(f'main tbody a[href="/admin/conversations/{bad.conversation_id}"]').first.click()

    page.wait_for_url(f"**/admin/conversations/{bad.conversation_id}")
    is_fit(page)


@pytest.mark.usefixtures("looks")
def test_messengers_and_the_engine_show_what_waits_and_which_part_is_down(page: Page, stage: Stage, url: str) -> None:
    taken = stage.say("nobody answers yet", sender="jon")
    page.goto(f"{url}/admin/messengers")
    is_fit(page)

    expect(page.locator("main tbody")).to_contain_text("Telegram · Bot")
    parts = page.locator("main dl").first
    assert parts.locator("dt").all_text_contents() == ["engine", "broker"]
    assert parts.locator("dd").all_text_contents() == ["ok", "down"]
    expect(page.locator("main dl").last).to_contain_text("echo")
    stage.work(stage.worker())
    assert stage.turn(taken).state == "answered"


@pytest.mark.usefixtures("looks")
def test_a_skills_jobs_show_how_their_last_runs_went(page: Page, stage: Stage, url: str) -> None:
    skill = f"watch-{new_id().hex[-6:]}"
    book = a_job(stage, skill=skill)
    page.goto(f"{url}/admin/skills/{skill}")
    is_fit(page)
    row = page.locator("main tbody tr", has_text="watch")
    expect(row.locator("td").last).to_have_text("0")
    stage.clock.advance(301)
    claims = [claim for _ in range(9) if (claim := book.claim()) is not None]
    for claim in claims:
        book.finish(claim, "failed", "ValueError in notes.py:7")

    page.goto(f"{url}/admin/jobs")
    is_fit(page)
    row = page.locator("main tbody tr", has_text=skill)
    expect(row.locator("td").last).to_have_text("1")
    expect(row.locator("code").last).to_have_text("ValueError in notes.py:7")
    row.locator("a").click()

    page.wait_for_url(f"**/admin/skills/{skill}")
    is_fit(page)
    expect(page.locator("main tbody tr", has_text="watch").locator("td").last).to_have_text("1")


@pytest.mark.usefixtures("looks")
def test_a_turn_that_was_dropped_is_tried_again_and_answered(page: Page, stage: Stage, url: str) -> None:
    taken = stage.say("please", sender="kim")
    stage.queue.take()
    page.goto(f"{url}/admin/turns?turn={taken.turn_id}")
    press(page, "/drop")
    page.wait_for_url("**?done=dropped")
    page.goto(f"{url}/admin/turns?turn={taken.turn_id}")

    press(page, "/retry")

    page.wait_for_url("**?done=retried")
    stage.work(stage.worker())
    assert stage.turn(taken).state == "answered"


@pytest.mark.usefixtures("looks")
def test_a_rule_of_ones_own_is_cleared(page: Page, url: str) -> None:
    rule = "/admin/retention/rule?data_class=profile&scope=workspace"
    page.goto(url + rule)
    press(page, "/retention/preview", days="30", reason="Shorter than usual.")
    press(page, "/retention/set")
    page.wait_for_url("**/admin/retention?done=rule_set")
    page.goto(url + rule)
    is_fit(page)

    press(page, "/retention/clear")

    page.wait_for_url("**/admin/retention?done=rule_cleared")
    page.goto(url + rule)
    expect(page.locator('form[action$="/retention/clear"]')).to_have_count(0)


@pytest.mark.usefixtures("looks")
def test_a_session_in_another_browser_is_ended(page: Page, browser: Browser, url: str) -> None:
    context = browser.new_context()
    elsewhere = context.new_page()
    elsewhere.goto(f"{url}/admin/signin")
    elsewhere.locator("input[name=name]").fill("Olga")
    elsewhere.locator("input[name=password]").fill(PASSWORD)
    elsewhere.locator("main button").click()
    elsewhere.wait_for_url(lambda address: "/admin/signin" not in address)
    page.goto(f"{url}/admin/account")
    is_fit(page)
    others = page.locator("main tbody tr", has_not=page.locator("th", has_text="("))
    expect(others).to_have_count(1)

    others.locator("button").click()

    page.wait_for_url("**/admin/account?done=*")
    is_fit(page)
    expect(page.locator("main tbody tr")).to_have_count(1)
    elsewhere.goto(f"{url}/admin/people")
    assert "/admin/signin" in elsewhere.url
    context.close()


def _waiting(stage: Stage, name: str) -> Person:
    """A stranger who was told a code."""
    platform = stage.platform
    with platform.database.begin() as session:
        person = admit(
            session,
            platform.privacy,
            Access("pairing"),
            workspace_id=platform.accounts.ensure_workspace(),
            channel="telegram",
            sender=Sender(name, name, "en"),
            now=stage.clock.now(),
        )
    assert person is not None
    return person


def _state(stage: Stage, person: Person) -> UserState:
    return users.show_user(stage.platform.database, stage.platform.privacy, str(person.user_id)).state


def test_codes_are_set_up_and_the_password_is_changed(page: Page, stage: Stage, url: str) -> None:
    page.goto(f"{url}/admin/account")
    is_fit(page)
    press(page, "/codes/new")
    secret = page.locator("input[name=secret]").get_attribute("value") or ""
    press(page, "/account/codes", code=pyotp.TOTP(secret).at(stage.clock.now()), password=PASSWORD)
    page.wait_for_url("**/admin/account?done=codes")
    press(page, "/codes/stop", password=PASSWORD)
    page.wait_for_url("**/admin/account?done=codes_off")

    press(page, "/account/password", old=PASSWORD, new=NEW_PASSWORD, again=NEW_PASSWORD)

    page.wait_for_url("**/admin/account?done=password")
