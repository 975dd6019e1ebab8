"""Showing an answer while it is written: never left behind, never after the final (G5)."""

import asyncio
from collections.abc import Callable

import pytest

from parlour.engines.errors import PromptTooLong
from parlour.store.ids import TurnId, UserId
from parlour.turns.draft_rows import MayShow
from parlour.turns.ports import (
    DraftLost,
    DraftStyle,
    Frame,
    Live,
    NotSent,
    OutcomeUnknown,
    Rejected,
    SendLimits,
    Taken,
    Throttled,
)
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.sqlite_stage import MakeStage
from tests.support.stage import Stage, Worker, until

ENDS_DRAFTS = [Throttled(retry_after_s=100), NotSent(), Rejected("no_drafts"), RuntimeError("unforeseen")]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece a frame, and a draft from the first one on."""
    monkeypatch.setattr("parlour.turns.answer.FRAME_EVERY_S", 0.0)
    monkeypatch.setattr("parlour.turns.drafts._FIRST_MESSAGE_AFTER_S", 0.0)


@pytest.fixture
def messenger(stage: Stage) -> FakeMessenger:
    return FakeMessenger(stage.account_id, style=DraftStyle.MESSAGE)


class Writing:
    """An answer being written, its pieces in the test's hands."""

    def __init__(self, stage: Stage, *, owner: str = "worker-1") -> None:
        self.stage = stage
        self.taken: Taken = stage.say("tell me a story")
        self.worker: Worker = stage.worker(ScriptedEngine(["The end."]), owner=owner)
        assert self.taken.turn_id
        self.turn_id: TurnId = self.taken.turn_id
        claim = self.worker.claim(self.turn_id)
        assert claim
        self.claim = claim

    def frame(self, frame: Frame, text: str = "") -> Live:
        user_id = UserId(self.claim.user_id)
        body = self.stage.platform.sealer.seal_live(user_id, self.turn_id, text.encode()) if text else b""
        return Live(frame, self.stage.account_id, self.claim.conversation_id, self.turn_id, body)

    def begins(self) -> None:
        self.stage.bus.publish(self.frame(Frame.TAKEN))

    def says(self, text: str) -> None:
        self.stage.bus.publish(self.frame(Frame.DRAFT, text))

    def ends(self) -> None:
        """The worker commits the answer: The end."""
        self.worker.order.hand_back(self.claim)
        self.stage.queue.take()
        self.worker.answerer.answer(self.turn_id)


def is_sent(stage: Stage) -> Callable[[], bool]:
    return lambda: [row.state for row in stage.deliveries()] == ["sent"]


async def listening(stage: Stage) -> None:
    await until(lambda: stage.bus.is_listened_to)


async def test_a_draft_grows_and_becomes_the_answer(stage: Stage, messenger: FakeMessenger) -> None:
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.begins()
        writing.says("Once")
        await until(lambda: messenger.texts() == ["Once"])
        writing.says("Once upon a time")
        await until(lambda: messenger.texts() == ["Once upon a time"])
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert messenger.calls["typing"] >= 1
    assert messenger.posts[0].draft_key == "m1"
    assert stage.metric("parlour_drafts_total", channel="telegram", fate="sent") >= 2


async def test_no_draft_goes_before_an_answer_that_has_still_to_be_sent(stage: Stage, messenger: FakeMessenger) -> None:
    """It becomes the answer where it stands, which would be before the one to an earlier question."""
    stage.answered("hello", says=["First."])
    messenger.gates["send"] = gate = asyncio.Event()
    writing = Writing(stage)
    async with stage.posting(messenger):
        await until(lambda: messenger.calls["send"] == 1 and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: stage.metric("parlour_drafts_total", channel="telegram", fate="dropped") >= 1)
        drafts_before = messenger.calls["draft"]
        gate.set()
        await until(is_sent(stage))
        writing.says("Once upon a time")
        await until(lambda: messenger.texts() == ["First.", "Once upon a time"])
        await asyncio.to_thread(writing.ends)
        await until(lambda: messenger.texts() == ["First.", "The end."])

    assert drafts_before == 0


async def test_a_draft_that_vanishes_by_itself_needs_no_ledger(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.style = DraftStyle.EPHEMERAL
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.previews == ["Once"])
        assert stage.deliveries() == []
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert messenger.posts[0].draft_key is None


async def test_where_there_are_no_drafts_only_typing_is_shown(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.style = DraftStyle.NONE
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.calls["typing"] == 1)
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.calls["draft"] == 0


async def test_a_final_is_never_followed_by_a_draft(stage: Stage, messenger: FakeMessenger) -> None:
    """Frames may come late: the bus promises no order."""
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))
        for _ in range(3):
            writing.says("Once upon")
        await _settled()

    assert messenger.texts() == ["The end."]
    assert messenger.calls["draft"] == 0


async def test_a_final_waits_for_a_draft_that_is_on_its_way(stage: Stage, messenger: FakeMessenger) -> None:
    """Else the draft would arrive after it, as the last word."""
    messenger.gates["draft"] = gate = asyncio.Event()
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.calls["draft"] == 1)
        await asyncio.to_thread(writing.ends)
        await until(lambda: stage.deliveries()[0].state == "sending")
        await _settled()
        assert messenger.calls["send"] + messenger.calls["settle"] == 0
        gate.set()
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]


async def test_a_draft_whose_first_post_got_lost_is_found_and_becomes_the_answer(
    stage: Stage, messenger: FakeMessenger
) -> None:
    """G5: nothing half-said may stay behind."""
    messenger.fail("draft", OutcomeUnknown(), is_done=True)
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.texts() == ["Once"])
        writing.says("Once upon")
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert (messenger.calls["draft"], messenger.calls["settle"], messenger.calls["send"]) == (1, 1, 0)


async def test_a_draft_that_got_lost_on_the_way_out_is_asked_for_once(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("draft", OutcomeUnknown())
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.calls["draft"] == 1)
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert (messenger.calls["settle"], messenger.calls["send"]) == (1, 1)


@pytest.mark.parametrize("error", ENDS_DRAFTS, ids=lambda error: type(error).__name__)
async def test_drafts_end_at_the_first_trouble_and_the_answer_comes(
    stage: Stage, messenger: FakeMessenger, error: Exception
) -> None:
    messenger.fail("draft", error)
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.calls["draft"] == 1)
        writing.says("Once upon")
        await _settled()
        await asyncio.to_thread(writing.ends)

        def passes() -> bool:
            stage.pass_time(5)
            return is_sent(stage)()

        await until(passes)

    assert messenger.calls["draft"] == 1
    assert messenger.texts() == ["The end."]


async def test_a_draft_that_someone_deleted_is_replaced_by_a_new_message(
    stage: Stage, messenger: FakeMessenger
) -> None:
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.texts() == ["Once"])
        messenger.board.clear()
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert (messenger.calls["send"], messenger.calls["settle"]) == (2, 0)


async def test_a_messenger_that_speaks_of_a_lost_draft_where_none_was_is_asked_ever_more_rarely(
    stage: Stage, messenger: FakeMessenger
) -> None:
    """It would be asked without a pause otherwise."""
    messenger.fail("send", DraftLost())
    stage.answered("hello")
    async with stage.posting(messenger):
        await until(lambda: messenger.calls["send"] == 1)
        await until(lambda: stage.deliveries()[0].state == "unknown")

    assert stage.deliveries()[0].due_at > stage.clock.now()


async def test_the_draft_of_a_dead_gateway_becomes_the_answer_of_the_next(
    stage: Stage, messenger: FakeMessenger
) -> None:
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: bool(stage.deliveries()) and stage.deliveries()[0].draft_state == "open")
    await asyncio.to_thread(writing.ends)

    async with stage.posting(messenger, owner="gateway-2"):
        await until(is_sent(stage))

    assert messenger.texts() == ["The end."]
    assert len(messenger.board) == 1


async def test_the_draft_of_a_dead_gateway_is_carried_on_by_the_next(stage: Stage, messenger: FakeMessenger) -> None:
    writing = Writing(stage)
    for owner, text in (("gateway-1", "Once"), ("gateway-2", "Once upon a time")):
        async with stage.posting(messenger, owner=owner) as sender:
            await until(lambda sender=sender: sender.is_holding and stage.bus.is_listened_to)  # type: ignore[misc]
            writing.says(text)
            await until(lambda text=text: messenger.texts() == [text])  # type: ignore[misc]
            # What is out and not known to be out would end the drafts of the next.
            await until(lambda: stage.deliveries()[0].draft_state == "open")

    assert len(messenger.board) == 1


async def test_drafts_get_only_what_finals_leave_over(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.send_limits = SendLimits(chat_per_s=0.001, chat_burst=2)
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.begins()
        await until(lambda: messenger.calls["typing"] == 1)
        for number in range(5):
            writing.says(f"Once {number}")
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    assert messenger.calls["draft"] == 0
    assert messenger.texts() == ["The end."]
    assert stage.metric("parlour_drafts_total", channel="telegram", fate="dropped") >= 1


async def test_typing_that_is_refused_ends_nothing(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("typing", NotSent())
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.begins()
        writing.says("Once")
        await until(lambda: messenger.texts() == ["Once"])


async def test_a_gateway_without_the_lease_shows_nothing(stage: Stage, messenger: FakeMessenger) -> None:
    stage.ledger(owner="gateway-2").hold(stage.account_id)
    writing = Writing(stage)
    async with stage.posting(messenger):
        await listening(stage)
        writing.says("Once")
        await _settled()

    assert messenger.calls["draft"] == 0


async def test_a_worker_that_fell_silent_leaves_no_draft_waiting_for_ever(
    stage: Stage, messenger: FakeMessenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlour.turns.drafts._SILENCE_S", 0.01)
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.begins()
        await until(lambda: messenger.calls["typing"] == 1)

        await until(lambda: not any("draft-" in task.get_name() for task in asyncio.all_tasks()))


async def test_a_failure_replaces_the_draft(stage: Stage, messenger: FakeMessenger) -> None:
    """The person sees what became of it, not half an answer."""
    writing = Writing(stage)
    writing.worker.engine.answers = [[PromptTooLong()]]
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: messenger.texts() == ["Once"])
        await asyncio.to_thread(writing.ends)
        await until(is_sent(stage))

    (text,) = messenger.texts()
    assert "too long" in text


async def _handed_back_with_a_draft_out(stage: Stage, messenger: FakeMessenger) -> Writing:
    """A turn whose worker has gone and whose draft stands there, waiting for another worker."""
    writing = Writing(stage)
    async with stage.posting(messenger) as sender:
        await until(lambda: sender.is_holding and stage.bus.is_listened_to)
        writing.says("Once")
        await until(lambda: bool(stage.deliveries()) and stage.deliveries()[0].draft_state == "open")
    await asyncio.to_thread(writing.worker.order.hand_back, writing.claim)
    stage.queue.take()
    return writing


async def test_the_draft_of_a_turn_that_is_stopped_while_it_waits_is_no_last_word(
    stage: Stage, messenger: FakeMessenger
) -> None:
    await _handed_back_with_a_draft_out(stage, messenger)

    await asyncio.to_thread(stage.command, "stop")
    async with stage.posting(messenger):
        await until(lambda: {row.state for row in stage.deliveries()} == {"sent"})

    assert messenger.texts() == ["Stopped.", "Stopped."]
    assert stage.states() == ["stopped", "answered"]


@pytest.mark.parametrize("mode", ["merge", "interrupt"])
async def test_the_draft_of_a_turn_that_is_answered_with_the_next_is_no_last_word(
    make_stage: MakeStage, mode: str
) -> None:
    stage = make_stage(turns={"mode": mode})
    messenger = FakeMessenger(stage.account_id, style=DraftStyle.MESSAGE)
    writing = await _handed_back_with_a_draft_out(stage, messenger)

    await asyncio.to_thread(stage.say, "and a poem")
    await asyncio.to_thread(writing.worker.answerer.answer, writing.turn_id)
    async with stage.posting(messenger):
        await until(lambda: {row.state for row in stage.deliveries()} == {"sent"})

    assert messenger.texts() == ["I answer this together with what comes next.", "The end."]
    assert stage.states() == ["merged", "answered"]


def test_no_draft_is_begun_for_a_turn_that_ended_since_it_was_looked_at(stage: Stage) -> None:
    writing, rows = Writing(stage), stage.ledger().drafts
    target = rows.target(writing.turn_id)
    assert target
    writing.worker.order.hand_back(writing.claim)
    stage.command("stop")

    assert rows.begin(target) == (MayShow.NOT_YET, None)
    assert [row.state for row in stage.deliveries()] == ["pending"]


async def _settled() -> None:
    """Let what was published be seen: there is no event for something that does not happen."""
    for _ in range(50):
        await asyncio.sleep(0.002)
