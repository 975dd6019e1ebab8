"""What tests of the admin pages in a browser share: the pages served, the first owner signed in, a look by axe."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.admin.signin.links import first_link
from parlour.admin.site import add_pages
from tests.fakes.gateway import wait_until_it_serves
from tests.support.stage import Stage

# Made up here, of no use elsewhere.
PASSWORD = "a long enough phrase"
# How pages are seen: the reader's language, and light or dark.
LOOKS = [("en-GB", "light"), ("zh-CN", "dark")]
LOOKS_IDS = ["english-light", "chinese-dark"]


@contextmanager
def served(stage: Stage) -> Iterator[str]:
    """The address of the stage's admin pages, until the end of the block."""
    app = build_app([], Health({"engine": lambda: "ok", "broker": lambda: "down"}), max_body_bytes=30_000_000)
    add_pages(app, stage.platform)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_config=None, timeout_graceful_shutdown=2))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    wait_until_it_serves(server, thread)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


def is_fit(page: Page) -> None:
    """Nothing serious for axe to find."""
    found = Axe().run(page).response["violations"]
    serious = [one["id"] for one in found if one["impact"] in {"serious", "critical"}]
    assert serious == [], page.url


def press(page: Page, action: str, **fields: str) -> None:
    """Fill the form that goes there and send it; the page behind it must be fit."""
    form = page.locator(f'form[action$="{action}"]').first
    for name, value in fields.items():
        form.locator(f'input[name="{name}"]:not([type=hidden])').fill(value)
    with page.expect_navigation():
        form.locator("button").first.click()
    is_fit(page)


def sign_in_first(page: Page, stage: Stage, url: str) -> None:
    """By the first owner's link."""
    link = first_link(stage.platform.database, stage.platform.privacy, stage.platform.accounts.ensure_workspace())
    assert link is not None
    page.goto(url + link.path)
    is_fit(page)
    for name, value in (("name", "Olga"), ("password", PASSWORD), ("again", PASSWORD)):
        page.locator(f"input[name={name}]").fill(value)
    page.locator("main button").click()
    page.wait_for_url(lambda address: "/admin/first" not in address)
