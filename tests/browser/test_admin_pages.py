"""The admin pages in a real browser: from the first owner's link through every page, in both languages, with axe."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin.links import first_link
from parlour.admin.site import add_pages
from parlour.skills.authoring import new_skill
from tests.support.stage import Stage, make_template, open_stage
from tests.support.wheels import wheel

pytestmark = pytest.mark.browser

# Made up here, of no use elsewhere.
PASSWORD = "a long enough phrase"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(make_template(tmp_path / "data"), channel="web") as opened:
        opened.say("hello")
        yield opened


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    app = build_app([], Health({}), max_body_bytes=30_000_000)
    add_pages(app, stage.platform)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_config=None, timeout_graceful_shutdown=2))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def skill_file(tmp_path: Path) -> Path:
    new_skill(tmp_path, "notes")
    file = tmp_path / "parlour_notes-0.1.0-py3-none-any.whl"
    file.write_bytes(wheel(tmp_path / "notes"))
    shutil.rmtree(tmp_path / "notes")
    return file


@pytest.fixture(params=[("en-GB", "light"), ("zh-CN", "dark")], ids=["english-light", "chinese-dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    locale, scheme = request.param
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport={"width": 1100, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # A form that is refused answers 422, which the browser's console calls an error.
    assert [one for one in errors if "422" not in one] == []


def _is_fit(page: Page) -> None:
    """Nothing serious for axe to find."""
    found = Axe().run(page).response["violations"]
    serious = [one["id"] for one in found if one["impact"] in {"serious", "critical"}]
    assert serious == [], page.url


def _sign_in(page: Page, stage: Stage, url: str) -> None:
    link = first_link(stage.platform.database, stage.platform.privacy, stage.platform.accounts.ensure_workspace())
    assert link is not None
    page.goto(url + link.path)
    _is_fit(page)
    page.locator("input[name=name]").fill("Olga")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=again]").fill(PASSWORD)
    page.locator("main button").click()
    page.wait_for_url(lambda address: "/admin/first" not in address)


def test_every_page_of_the_navigation_opens_and_is_fit(page: Page, stage: Stage, url: str, screenshots: Path) -> None:
    """Its picture too, for the docs."""
    _sign_in(page, stage, url)
    page.goto(f"{url}/admin")
    paths = [link.get_attribute("href") or "" for link in page.locator("nav a").all()]
    assert len(paths) >= 5

    for path in paths:
        page.locator(f'nav a[href="{path}"]').click()
        page.wait_for_url(f"{url}{path}")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator('nav a[aria-current="page"]')).to_have_attribute("href", path)
        _is_fit(page)
        _picture(page, screenshots, path.removeprefix("/admin").strip("/") or "overview")


def test_a_skill_is_uploaded_granted_set_disabled_and_removed(
    page: Page, stage: Stage, url: str, skill_file: Path, screenshots: Path
) -> None:
    """Its pictures too, for the docs."""
    _sign_in(page, stage, url)
    page.goto(f"{url}/admin/skills")
    page.locator("input[type=file]").set_input_files(skill_file)
    page.locator('form[action="/admin/skills/upload"] button').click()
    expect(page.locator("h1")).to_have_text("notes 0.1.0")
    _is_fit(page)
    _picture(page, screenshots, "skill-offer")

    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_installed", timeout=60_000)
    _is_fit(page)
    _picture(page, screenshots, "skill")

    page.locator("input[name=most]").fill("many")
    page.locator("main button.main").click()
    expect(page.locator("#wrong-most")).to_be_visible()
    expect(page.locator("input[name=most]")).to_have_value("many")
    _is_fit(page)
    page.locator("input[name=most]").fill("7")
    page.locator("main button.main").click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_set")
    expect(page.locator("input[name=most]")).to_have_value("7")

    page.locator("select[name=where]").select_option("slack")
    page.locator('button[name=is_enabled][value="no"]').click()
    page.wait_for_url(f"{url}/admin/skills/notes?done=skill_disabled")
    expect(page.locator("main")).to_contain_text("slack")

    page.locator("input[name=sure]").check()
    page.locator('form[action="/admin/skills/notes/remove"] button').click()
    page.wait_for_url(f"{url}/admin/skills?done=skill_removed")
    expect(page.locator('a[href="/admin/skills/notes"]')).to_have_count(0)


def _picture(page: Page, folder: Path, name: str) -> None:
    """For the docs: what an English reader sees in the light."""
    folder.mkdir(parents=True, exist_ok=True)
    if page.evaluate("matchMedia('(prefers-color-scheme: light)').matches"):
        page.screenshot(path=folder / f"admin-{name.replace('/', '-')}.png", full_page=True)
