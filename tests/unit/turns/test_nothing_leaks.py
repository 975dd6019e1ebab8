"""No content and no secret anywhere it could be read (G7)."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from parlour import logs
from parlour.engines.errors import EngineDied, EngineUnavailable
from parlour.turns.ports import DraftStyle, IncomingAttachment, IncomingKind, OutcomeUnknown, Rejected, Throttled
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.leaks import find_bytes
from tests.support.stage import Stage, until

MakeStage = Callable[..., Stage]

QUESTION = "marker-question-5d41"
EDITED = "marker-edited-7d79"
ANSWER = "marker-answer-0bc1"
NAME = "marker-name-86a2"
PERSON = "marker-person-id-9c3e"
CHAT = "marker-chat-id-e4da"
MESSAGE = "marker-message-key-33b5"
FILE = "marker-file-name-bd3e"
REFERENCE = "marker-file-reference-4f5a"
CONTENT = "marker-file-content-c81e"
COMMAND = "marker-command-1679"
ERROR = "marker-in-an-exception-8f14"
TOKEN = "marker-token-45c4"

MARKERS = [QUESTION, EDITED, ANSWER, NAME, PERSON, CHAT, MESSAGE, FILE, REFERENCE, CONTENT, COMMAND, ERROR, TOKEN]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bytes]]:
    """Everything that was logged, debug included, as the processes log."""
    root, written = logging.getLogger(), io.StringIO()
    before = (root.level, list(root.handlers))
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", written)
        logs.set_up(level="debug", style="json")
    yield lambda: written.getvalue().encode()
    structlog.reset_defaults()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


async def test_after_a_run_with_everything_in_it_no_marker_can_be_found(
    make_stage: MakeStage, log: Callable[[], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlour.turns.answer.FRAME_EVERY_S", 0.0)
    monkeypatch.setattr("parlour.turns.drafts._FIRST_MESSAGE_AFTER_S", 0.0)
    stage = make_stage()
    stage.platform.accounts.register("telegram", "bot", "Bot", credentials=TOKEN)
    messenger = FakeMessenger(stage.account_id, style=DraftStyle.MESSAGE, part_chars=40)
    _talk(stage)
    async with stage.posting(messenger):
        await until(lambda: any(ANSWER in text for text in messenger.texts()))
        await _trouble(stage, messenger)

        def all_done() -> bool:
            stage.pass_time(5)
            return {row.state for row in stage.deliveries()} <= {"sent", "failed"}

        await until(all_done)
    bus = json.dumps([[live.frame, str(live.turn_id), live.body.hex()] for live in stage.bus.frames]).encode()
    bus += b"".join(live.body for live in stage.bus.frames)
    logged = log()

    found = find_bytes(MARKERS, tmp_path / "data", stage.settings.database_url, stage.settings.keys_url, logged, bus)

    assert found == []
    # The search would have found them: they were all there, and much was logged.
    assert any(QUESTION in text for text in stage.messages("user"))
    assert b"turn_broke" in logged
    assert b"delivery_broke" in logged


def test_what_is_published_and_counted_names_nobody(stage: Stage) -> None:
    from prometheus_client import generate_latest  # noqa: PLC0415 (what a scrape shows)

    stage.platform.metrics.registry.register(stage.platform.backlog_collector())
    _talk(stage)

    scrape = generate_latest(stage.platform.metrics.registry)

    assert find_bytes(MARKERS, scrape) == []
    assert b"parlour_intake_total" in scrape


def _talk(stage: Stage) -> None:
    who = {"sender": PERSON, "chat": CHAT}
    file = IncomingAttachment(FILE, "image/jpeg", REFERENCE)
    stage.say(f"tell me about {QUESTION}", message_key=MESSAGE, attachments=(file,), **who)
    stage.say(f"tell me about {EDITED}", message_key=MESSAGE, kind=IncomingKind.EDIT, **who)
    stage.command(COMMAND, **who)
    stage.say(f"and {QUESTION} again", **who)
    worker = stage.worker(
        ScriptedEngine([f"It is {ANSWER}, ", "and a long explanation of all that it may mean"], [RuntimeError(ERROR)])
    )
    stage.work(worker)


async def _trouble(stage: Stage, messenger: FakeMessenger) -> None:
    """Everything that is logged when things go wrong."""
    messenger.files[REFERENCE] = CONTENT.encode()
    messenger.fail("send", OutcomeUnknown(ERROR), is_done=True)
    messenger.fail("send", Throttled(retry_after_s=1))
    messenger.fail("send", RuntimeError(ERROR))
    messenger.fail("send", ValueError(CHAT))
    messenger.fail("send", Rejected("chat_gone"))
    for error in (EngineDied(), EngineUnavailable(), KeyError(QUESTION)):
        await asyncio.to_thread(stage.say, QUESTION, sender=PERSON, chat=f"{CHAT}-{type(error).__name__}")
        await asyncio.to_thread(stage.work, stage.worker(ScriptedEngine([ANSWER, error], [ANSWER])))
    for wanted in stage.platform.attachments.wanted(stage.account_id):
        stage.platform.attachments.keep(wanted, CONTENT.encode())
    for _ in range(3):
        await asyncio.to_thread(stage.say, QUESTION, sender=PERSON, chat=CHAT, sent_at=stage.clock.now())
        stage.pass_time(31)
        await asyncio.to_thread(stage.platform.sweep)
        await asyncio.to_thread(stage.work, stage.worker(ScriptedEngine([ANSWER])))


def test_a_log_that_cannot_be_written_shows_nothing_of_what_it_held(
    log: Callable[[], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """The library would print the event and its exception past all that hides them."""
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(closed := io.StringIO())
    closed.close()

    try:
        raise RuntimeError(ERROR)
    except RuntimeError:
        structlog.get_logger("test").exception("something_broke")

    assert ERROR not in "".join(capsys.readouterr())
