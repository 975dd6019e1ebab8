"""Chromium, a gateway with the scripted assistant, and pages in front of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from parlour.channels.web import WebChannel
from tests.conftest import IS_CI
from tests.fakes.gateway import FakeGateway, serving
from tests.fakes.talk import FakeClock, FakeTalk, Script

# What a page shall show may take long on a busy machine; Playwright itself waits five seconds.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

MARKDOWN = """Basil likes it **warm and bright**. Three things matter most:

1. Water when the top centimetre of soil is dry, in the morning.
2. Give it six hours of light a day; a south window is best.
3. Pinch off the tips, so that it grows bushy instead of tall.

| Season | Water | Light |
|:--|--:|--:|
| Summer | every day | 8 h |
| Winter | twice a week | 5 h |

```python
def days_to_harvest(sown: date, warm: bool) -> int:
    \"\"\"Basil is ready in about eight weeks.\"\"\"
    return 56 if warm else 70  # a cool kitchen takes longer
```

> Never put it in the fridge: the leaves turn black.
"""


def _chromium() -> str:
    found = os.environ.get("PARLOUR_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    problem = "no Chromium. Install it with: apt-get install chromium"
    if IS_CI:
        pytest.fail(f"{problem} (CI has every service)", pytrace=False)
    pytest.skip(problem)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = _chromium()
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def talk() -> FakeTalk:
    return FakeTalk(script=Script({"How do I care for basil?": MARKDOWN}))


@pytest.fixture
def gateway(talk: FakeTalk) -> Iterator[FakeGateway]:
    channel = WebChannel(history=talk, bus=talk.bus, sealer=talk.sealer, clock=FakeClock())
    with serving([channel], talk) as gateway:
        yield gateway


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser, gateway: FakeGateway) -> Iterator[NewPage]:
    """Opens the chat in a browser of its own; every error in its console fails the test at the end."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(*, allows_errors: bool = False, **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        if not allows_errors:
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(gateway.url)
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page(viewport={"width": 1100, "height": 800})


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: the folder that SCREENSHOTS names (`make screenshots`), else one that is thrown away."""
    chosen = os.environ.get("SCREENSHOTS")
    return Path(chosen) if chosen else tmp_path
