"""The chat page in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.talk import FakeTalk

pytestmark = pytest.mark.browser


def _send(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


def test_a_message_gets_a_streamed_answer(page: Page) -> None:
    _send(page, "How do I care for basil?")

    expect(page.locator(".draft")).to_be_visible()
    expect(page.locator(".assistant[data-message] table")).to_be_visible()
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.locator(".user")).to_have_count(1)
