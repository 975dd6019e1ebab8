"""The admin pages in a real browser: from the first owner's link through every page, in both languages, with axe."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page, expect

from parlour.skills.authoring import new_skill
from tests.browser.admin import LOOKS, LOOKS_IDS, is_fit, press, served, sign_in_first
from tests.support.stage import Stage, make_template, open_stage
from tests.support.wheels import wheel

pytestmark = pytest.mark.browser


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(make_template(tmp_path / "data"), channel="web") as opened:
        opened.say("hello")
        yield opened


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    with served(stage) as address:
        yield address


@pytest.fixture
def skill_file(tmp_path: Path) -> Path:
    new_skill(tmp_path, "notes")
    file = tmp_path / "parlour_notes-0.1.0-py3-none-any.whl"
    file.write_bytes(wheel(tmp_path / "notes"))
    shutil.rmtree(tmp_path / "notes")
    return file


@pytest.fixture(params=LOOKS, ids=LOOKS_IDS)
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    locale, scheme = request.param
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport={"width": 1100, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # A form that is refused answers 422, which the browser's console calls an error.
    assert [one for one in errors if "422" not in one] == []


def test_every_page_of_the_navigation_opens_and_is_fit(page: Page, stage: Stage, url: str) -> None:
    sign_in_first(page, stage, url)
    page.goto(f"{url}/admin")
    paths = [link.get_attribute("href") or "" for link in page.locator("nav a").all()]
    assert len(paths) >= 5

    for path in paths:
        page.locator(f'nav a[href="{path}"]').click()
        page.wait_for_url(f"{url}{path}")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator('nav a[aria-current="page"]')).to_have_attribute("href", path)
        is_fit(page)


def test_a_skill_is_uploaded_granted_set_disabled_and_removed(
    page: Page, stage: Stage, url: str, skill_file: Path, screenshots: Path
) -> None:
    """Its picture too, for the docs."""
    sign_in_first(page, stage, url)
    page.goto(f"{url}/admin/skills")
    page.locator("input[type=file]").set_input_files(skill_file)
    page.locator('form[action="/admin/skills/upload"] button').click()
    expect(page.locator("h1")).to_have_text("notes 0.1.0")
    is_fit(page)
    _picture(page, screenshots, "skill-offer")

    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_installed", timeout=60_000)
    is_fit(page)

    page.locator("input[name=most]").fill("many")
    page.locator("main button.main").click()
    expect(page.locator("#wrong-most")).to_be_visible()
    expect(page.locator("input[name=most]")).to_have_value("many")
    is_fit(page)
    page.locator("input[name=most]").fill("7")
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_set")
    expect(page.locator("input[name=most]")).to_have_value("7")

    page.locator("select[name=where]").select_option("slack")
    page.locator('button[name=is_enabled][value="no"]').click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_disabled")
    expect(page.locator("main")).to_contain_text("Slack: ")

    page.locator("input[name=sure]").check()
    page.locator('form[action="/admin/skills/notes/remove"] button').click()
    page.wait_for_url(f"{url}/admin/skills?done=skill_removed")
    expect(page.locator('a[href="/admin/skills/notes"]')).to_have_count(0)


def test_a_skill_is_installed_by_its_name_upgraded_and_put_off_in_one_conversation(
    page: Page, stage: Stage, url: str, skill_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of wheels is an index to pip.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(skill_file.parent))
    sign_in_first(page, stage, url)
    page.goto(f"{url}/admin/skills")
    press(page, "/admin/skills/look", source="parlour-notes==9.9")
    expect(page.locator("main [role=alert]")).to_be_visible()
    press(page, "/admin/skills/look", source="parlour-notes==0.1.0")
    expect(page.locator("h1")).to_have_text("notes 0.1.0")
    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_installed")
    expect(page.locator("main")).to_contain_text("parlour-notes==0.1.0")

    page.locator("input[type=file]").set_input_files(_newer(skill_file))
    page.locator('form[action="/admin/skills/notes/upgrade/upload"] button').click()
    expect(page.locator("h1")).to_have_text("notes 0.2.0")
    is_fit(page)
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_upgraded")
    expect(page.locator("h1")).to_have_text("notes 0.2.0")

    conversation = str(stage.turns()[0].conversation_id)
    page.locator("select[name=where]").select_option("conversation")
    page.locator("input[name=conversation]").fill(conversation)
    page.locator('button[name=is_enabled][value="no"]').click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_disabled")
    expect(page.locator("main li", has_text=conversation)).to_be_visible()
    is_fit(page)


def _newer(file: Path) -> Path:
    """The same skill at 0.2.0."""
    newer = file.with_name(file.name.replace("0.1.0", "0.2.0"))
    with ZipFile(file) as old, ZipFile(newer, "w") as new:
        for name in old.namelist():
            new.writestr(name.replace("-0.1.0.", "-0.2.0."), old.read(name).replace(b"0.1.0", b"0.2.0"))
    return newer


def _picture(page: Page, folder: Path, name: str) -> None:
    """For the docs: what an English reader sees in the light."""
    folder.mkdir(parents=True, exist_ok=True)
    if page.evaluate("matchMedia('(prefers-color-scheme: light)').matches"):
        page.screenshot(path=folder / f"admin-{name}.png", full_page=True)
