"""The chat page in a real browser."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from parlour.sdk.replies import Button
from parlour.store.ids import TurnId
from parlour.turns.ports import IncomingKind
from parlour.turns.said import FileView
from tests.browser.conftest import MARKDOWN, NewPage
from tests.fakes.gateway import FakeGateway
from tests.fakes.talk import FakeTalk
from tests.support.pictures import png

pytestmark = pytest.mark.browser

HOSTILE = """# <script>document.title = 'owned'</script>
<img src=x onerror="document.title='owned'"><iframe src="https://evil.example"></iframe>
[click](javascript:document.title='owned') [data](data:text/html,<script>1</script>) ![pixel](http://127.0.0.1:9/p.png)
<style>body { display: none }</style>

```"><script>document.title='owned'</script>
<svg onload="document.title='owned'">
```
"""


def _send(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


def _reload(page: Page) -> None:
    """Load the page anew, with nothing on its way: what has not arrived for all that the page knows is sent again."""
    expect(page.locator(".user.pending")).to_have_count(0)
    page.reload()


def _asked(page: Page, talk: FakeTalk, text: str) -> TurnId:
    """Send what is to be answered by hand; the turn, once the page knows of it."""
    talk.script = None
    _send(page, text)
    expect(page.get_by_label("Stop the answer")).to_be_visible()
    (turn,) = next(iter(talk.chats.values())).open
    return turn


def _answers(page: Page) -> Locator:
    return page.locator(".assistant[data-message] .body")


def _messages(talk: FakeTalk) -> list[str]:
    return [incoming.text for incoming in talk.received if incoming.kind is IncomingKind.MESSAGE]


def test_a_message_gets_a_streamed_answer(page: Page, talk: FakeTalk) -> None:
    turn = _asked(page, talk, "How do I care for basil?")

    talk.draft(turn, MARKDOWN[:60])
    expect(page.locator(".draft")).to_be_visible()
    talk.answer(turn, MARKDOWN)

    expect(page.locator(".assistant[data-message] table")).to_be_visible()
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.locator(".user")).to_have_count(1)
    expect(page.get_by_label("Stop the answer")).to_be_hidden()


def test_a_reload_keeps_the_conversation(page: Page) -> None:
    _send(page, "hello")
    expect(_answers(page)).to_have_text("You said: hello")
    _reload(page)

    expect(page.locator(".user .body")).to_have_text("hello")
    expect(page.locator(".assistant .body")).to_have_text("You said: hello")


def test_a_restart_of_the_gateway_keeps_the_conversation_and_the_page_goes_on(
    new_page: NewPage, gateway: FakeGateway
) -> None:
    page = new_page(allows_errors=True)
    _send(page, "hello")
    expect(page.locator(".assistant[data-message]")).to_have_count(1)

    gateway.stop()
    expect(page.get_by_role("status")).to_have_text("No connection. Trying again.")
    gateway.start()
    _send(page, "again")

    expect(_answers(page).last).to_have_text("You said: again")
    expect(page.locator(".turn")).to_have_count(2)


def test_another_browser_sees_nothing_of_it(page: Page, new_page: NewPage) -> None:
    _send(page, "hello")
    expect(page.locator(".assistant[data-message]")).to_have_count(1)

    other = new_page()

    expect(other.locator(".said")).to_have_count(0)
    expect(other.get_by_text("How can I help?")).to_be_visible()


def test_a_second_tab_follows_the_same_conversation(page: Page) -> None:
    tab = page.context.new_page()
    tab.goto(page.url)

    _send(page, "hello")

    expect(tab.locator(".user .body")).to_have_text("hello")
    expect(_answers(tab)).to_have_text("You said: hello")


def test_hostile_markdown_is_inert(page: Page, talk: FakeTalk) -> None:
    assert talk.script
    talk.script.answers["attack"] = HOSTILE
    asked_elsewhere: list[str] = []
    page.on("request", lambda request: asked_elsewhere.append(request.url) if "127.0.0.1:9/" in request.url else None)

    _send(page, "attack")
    answer = page.locator(".assistant[data-message] .body")
    expect(answer).to_be_visible()

    assert page.title() == "Parlour"
    assert answer.locator("script, img, iframe, style, svg, [onerror], [onload]").count() == 0
    addresses = answer.locator("a").evaluate_all("links => links.map(link => [link.href, link.rel, link.target])")
    assert addresses == [
        [address, "noopener noreferrer nofollow", "_blank"]
        for address in ("https://evil.example/", "http://127.0.0.1:9/p.png")
    ]
    assert asked_elsewhere == []


def test_what_a_person_types_is_shown_as_it_is(page: Page) -> None:
    _send(page, "<b>bold</b> **stars**")

    expect(page.locator(".user .body")).to_have_text("<b>bold</b> **stars**")
    _reload(page)
    expect(page.locator(".user .body")).to_have_text("<b>bold</b> **stars**")


def test_everything_is_reached_and_done_by_keyboard_alone(page: Page, talk: FakeTalk) -> None:
    expect(page.get_by_label("Write a message")).to_be_focused()
    page.keyboard.type("count")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page.locator(".draft")).to_be_visible()

    page.keyboard.press("Escape")
    expect(page.locator(".assistant[data-message]")).to_be_visible()
    expect(page.get_by_label("Write a message")).to_be_focused()
    page.get_by_label("Write a message").press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_label("Good answer")).to_be_focused()
    page.keyboard.press("Space")

    expect(page.get_by_label("Good answer")).to_have_attribute("aria-pressed", "true")
    assert _messages(talk) == ["count"]


def test_enter_that_chooses_a_word_in_an_input_method_sends_nothing(page: Page, talk: FakeTalk) -> None:
    box = page.get_by_label("Write a message")
    box.fill("ni hao")

    box.evaluate(
        "box => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    _send(page, "你好")

    expect(page.locator(".assistant[data-message]")).to_have_count(1)
    assert _messages(talk) == ["你好"]


def test_the_stop_button_stops_the_answer(page: Page) -> None:
    _send(page, "count")
    expect(page.locator(".draft")).to_contain_text("1 2 3")

    page.get_by_label("Stop the answer").click()

    expect(page.locator(".assistant[data-message]")).to_contain_text("1 2 3")
    expect(page.get_by_label("Stop the answer")).to_be_hidden()


def test_a_message_written_offline_is_sent_once_when_the_connection_is_back(new_page: NewPage, talk: FakeTalk) -> None:
    page = new_page(allows_errors=True)
    page.context.set_offline(True)

    _send(page, "hello")
    expect(page.get_by_text("Not sent yet")).to_be_visible()
    page.context.set_offline(False)

    expect(_answers(page)).to_have_text("You said: hello")
    expect(page.get_by_text("Not sent yet")).to_be_hidden()
    expect(page.locator(".user")).to_have_count(1)
    assert _messages(talk) == ["hello"]


def test_a_message_whose_answer_was_lost_on_the_way_is_one_turn(new_page: NewPage, talk: FakeTalk) -> None:
    """The request arrived, the browser never learns it and sends the same id again."""
    page = new_page(allows_errors=True)
    ids: list[str] = []

    def lose_first_answer(route: Route) -> None:
        ids.append((route.request.post_data_json or {})["id"])
        if len(ids) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/chat/messages", lose_first_answer)

    _send(page, "hello")
    expect(_answers(page)).to_have_text("You said: hello")
    expect(page.locator(".pending")).to_have_count(0)

    expect(page.locator(".user")).to_have_count(1)
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert len(talk.chats) == 1
    assert len(next(iter(talk.chats.values())).said) == 2


def test_an_unsent_message_survives_a_reload_of_the_page(new_page: NewPage, talk: FakeTalk) -> None:
    page = new_page(allows_errors=True)
    talk.is_down = True
    _send(page, "hello")
    expect(page.get_by_text("Not sent yet")).to_be_visible()

    page.reload()
    expect(page.locator(".user .body")).to_have_text("hello")
    talk.is_down = False

    expect(_answers(page)).to_have_text("You said: hello")
    expect(page.locator(".user")).to_have_count(1)


def test_messages_sent_at_once_are_answered_each_under_its_own(page: Page) -> None:
    for number in range(5):
        _send(page, f"number {number}")

    expect(page.locator(".assistant[data-message]")).to_have_count(5)
    texts = page.locator(".said .body").all_inner_texts()
    assert texts == [text for number in range(5) for text in (f"number {number}", f"You said: number {number}")]


def test_a_command_is_answered_with_a_notice(page: Page, talk: FakeTalk) -> None:
    _send(page, "/language zh")

    expect(page.locator(".notice .body")).to_have_text("You asked for language zh.")
    assert (talk.received[0].kind, talk.received[0].text) == (IncomingKind.COMMAND, "language zh")


def test_a_thumb_is_kept(page: Page) -> None:
    _send(page, "hello")
    page.get_by_label("Bad answer").click()
    expect(page.get_by_role("status")).to_have_text("Thank you")

    _reload(page)

    expect(page.get_by_label("Bad answer")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Good answer")).to_have_attribute("aria-pressed", "false")


def test_code_is_copied(new_page: NewPage) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    _send(page, "How do I care for basil?")
    expect(page.locator(".assistant[data-message]")).to_be_visible()

    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()").startswith("def days_to_harvest(")


def test_a_file_goes_with_the_message(page: Page, talk: FakeTalk, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("water it")

    page.locator("#file").set_input_files(note)
    expect(page.get_by_text("note.txt")).to_be_visible()
    _send(page, "look at this")
    expect(page.locator(".assistant[data-message]")).to_be_visible()

    (attachment,) = talk.received[0].attachments
    assert (attachment.name, attachment.media_type, attachment.size) == ("note.txt", "text/plain", 8)
    expect(page.locator("#files")).to_be_hidden()


def test_a_database_that_is_away_is_said_and_the_page_recovers(new_page: NewPage, talk: FakeTalk) -> None:
    page = new_page(allows_errors=True)
    _send(page, "hello")
    expect(page.locator(".assistant[data-message]")).to_have_count(1)

    talk.is_down = True
    status = page.get_by_role("status")
    expect(status).to_contain_text("cannot read the conversation just now")
    talk.is_down = False

    expect(status).to_have_text("")


def test_without_script_a_form_and_a_reload_do_the_same(new_page: NewPage, talk: FakeTalk) -> None:
    page = new_page(java_script_enabled=False)
    page.get_by_label("Write a message").fill("hello")
    page.get_by_label("Send", exact=True).click()

    expect(page.locator(".user .body")).to_have_text("hello")
    while talk.open_turns(next(iter(talk.chats.values())).view.id):
        page.reload()
    page.reload()
    expect(page.locator(".assistant .body")).to_have_text("You said: hello")
    page.get_by_label("Good answer").click()
    expect(page.get_by_label("Good answer")).to_have_attribute("aria-pressed", "true")
    assert _messages(talk) == ["hello"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_nothing_makes_the_page_scroll_sideways(new_page: NewPage, width: int, scheme: str) -> None:
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    _send(page, "How do I care for basil?")
    _send(page, "a" * 400 + " " + "https://example.org/" + "b" * 300)
    expect(page.locator(".assistant[data-message]")).to_have_count(2)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _rich_answer(page: Page, talk: FakeTalk) -> None:
    """An answer by hand, with a chart, a file and buttons."""
    turn = _asked(page, talk, "report")
    table = "**Growth**\n\n|  | cm |\n| --- | --- |\n| Mon | 1 |"
    chart = talk.enclose(turn, FileView("chart.png", "image/png", png()), alt="Growth", words=table)
    report = talk.enclose(turn, FileView("report.csv", "text/csv", b"a,b"))
    buttons = (Button("Tell me more", "thank you"), Button("说谢谢", "/thanks"))
    talk.answer(turn, "Here.", enclosures=(chart, report), buttons=buttons, closing="What next?")


def test_pictures_are_shown_files_kept_and_buttons_pressed_by_keyboard(page: Page, talk: FakeTalk) -> None:
    _rich_answer(page, talk)

    expect(page.get_by_role("img", name="Growth")).to_have_js_property("complete", value=True)
    assert page.get_by_role("img", name="Growth").evaluate("picture => picture.naturalWidth") == 1
    page.get_by_text("As a table").click()
    expect(page.get_by_role("cell", name="Mon")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="report.csv").click()
    assert (download.value.suggested_filename, Path(download.value.path()).read_bytes()) == ("report.csv", b"a,b")

    page.get_by_role("list", name="Choices").get_by_role("button", name="Tell me more").focus()
    page.keyboard.press("Enter")

    expect(page.locator(".user").last).to_contain_text("thank you")
    expect(page.locator(".user.pending")).to_have_count(0)
    assert _messages(talk)[-1] == "thank you"


def test_axe_finds_nothing_serious_about_pictures_and_buttons(new_page: NewPage, talk: FakeTalk) -> None:
    page = new_page(reduced_motion="reduce", viewport={"width": 320, "height": 800})
    _rich_answer(page, talk)
    expect(page.get_by_role("button", name="说谢谢")).to_be_visible()

    found = Axe().run(page)

    assert [one for one in found.response["violations"] if one["impact"] in {"serious", "critical"}] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["empty", "answered"])
def test_axe_finds_nothing_serious(new_page: NewPage, scheme: str, state: str) -> None:
    page = new_page(color_scheme=scheme, reduced_motion="reduce")
    if state == "answered":
        _send(page, "How do I care for basil?")
        _send(page, "/help")
        expect(page.locator(".notice")).to_be_visible()
        expect(page.locator(".assistant[data-message]")).to_be_visible()

    found = Axe().run(page)

    grave = [one for one in found.response["violations"] if one["impact"] in {"serious", "critical"}]
    assert grave == [], found.generate_report()


def test_a_screen_reader_hears_the_finished_answer_and_not_every_draft(page: Page) -> None:
    _send(page, "count")
    draft = page.locator(".draft")
    expect(draft).to_be_visible()

    log = page.get_by_role("log", name="Conversation")
    assert log.get_attribute("aria-live") == "polite"
    assert draft.get_attribute("aria-live") == "off"
    expect(page.get_by_role("status")).to_have_text("The assistant is writing")


def test_the_page_speaks_chinese_to_a_chinese_browser(new_page: NewPage) -> None:
    page = new_page(locale="zh-CN")

    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.get_by_text("有什么可以帮您？")).to_be_visible()
    page.get_by_label("写消息").fill("你好")
    page.keyboard.press("Enter")
    expect(page.get_by_label("回答得好")).to_be_visible()


def test_the_picture_for_the_readme(new_page: NewPage, screenshots: Path) -> None:
    page = new_page(viewport={"width": 1100, "height": 760}, reduced_motion="reduce")
    _send(page, "How do I care for basil?")
    expect(page.locator(".assistant[data-message]")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")

    picture = screenshots / "web-chat.png"
    page.screenshot(path=picture)

    assert 10_000 < picture.stat().st_size < 200_000
