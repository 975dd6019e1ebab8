"""Posting: one post an answer, whatever the messenger does (G5, G10)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from parlour.store.errors import DatabaseLocked
from parlour.store.ids import UserId
from parlour.store.models import Account, Delivery
from parlour.turns.message_keys import MessageKeys
from parlour.turns.ports import CredentialsRejected, NotSent, OutcomeUnknown, Rejected, Throttled
from tests.fakes.turns import FakeMessenger
from tests.support.stage import Stage, until

MakeStage = Callable[..., Stage]


@pytest.fixture
def messenger(stage: Stage) -> FakeMessenger:
    return FakeMessenger(stage.account_id)


def states(stage: Stage) -> list[str]:
    return sorted(row.state for row in stage.deliveries())


def all_sent(stage: Stage) -> bool:
    return set(states(stage)) == {"sent"}


async def until_sent(stage: Stage, *, step_s: float = 0.0) -> None:
    """Wait until everything is sent; with `step_s`, time passes meanwhile."""

    def is_done() -> bool:
        if step_s:
            stage.pass_time(step_s)
        return all_sent(stage)

    await until(is_done, "everything is sent")


# ---- the good case ----


async def test_an_answer_is_posted_once(stage: Stage, messenger: FakeMessenger) -> None:
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage)

    assert messenger.texts() == ["All well."]
    assert messenger.calls["send"] == 1


async def test_what_becomes_due_while_it_rests_is_taken_together(stage: Stage, messenger: FakeMessenger) -> None:
    goes_on = asyncio.Event()
    stage.answered("hello")
    async with stage.posting(messenger, rest=lambda _: goes_on.wait()) as sender:
        await until(lambda: messenger.texts() == ["All well."], "the first is posted")
        looks: list[int] = []
        take_due = sender._ledger.take_due

        def look(*args: Any, **more: Any) -> Any:
            taken = take_due(*args, **more)
            looks.append(len(taken[0]))
            return taken

        sender._ledger.take_due = look  # type: ignore[method-assign]
        for name in ("ben", "eve"):
            await asyncio.to_thread(stage.answered, "hello", sender=name)
        goes_on.set()
        await until_sent(stage)

    assert looks[0] == 2


async def test_answers_of_a_conversation_are_posted_in_order(stage: Stage, messenger: FakeMessenger) -> None:
    for number in range(5):
        stage.answered(str(number), says=[f"answer {number}"])

    async with stage.posting(messenger):
        await until_sent(stage)

    assert messenger.texts() == [f"answer {number}" for number in range(5)]


async def test_a_long_answer_is_posted_in_parts_and_asks_for_an_opinion_at_the_end(
    stage: Stage, messenger: FakeMessenger
) -> None:
    messenger.part_chars = 4
    stage.answered("hello", says=["abcdefghij"])

    async with stage.posting(messenger):
        await until_sent(stage)

    assert messenger.texts() == ["abcd", "efgh", "ij"]
    assert [post.asks_feedback for post in messenger.posts] == [False, False, True]
    assert len({post.key for post in messenger.posts}) == 3


async def test_what_is_ready_is_posted_without_waiting_for_the_next_look(
    stage: Stage, messenger: FakeMessenger
) -> None:
    async with stage.posting(messenger):
        await until(lambda: stage.bus.is_listened_to)
        await asyncio.to_thread(stage.answered, "hello")
        await until_sent(stage)


async def test_posts_and_deliveries_are_counted(stage: Stage, messenger: FakeMessenger) -> None:
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage)

    assert stage.metric("parlour_sends_total", channel="telegram") == 1
    assert stage.metric("parlour_deliveries_finished_total", channel="telegram", state="sent") == 1


# ---- the messenger says no ----


async def test_a_throttled_chat_is_rescheduled_in_sql_and_holds_up_no_other(
    stage: Stage, messenger: FakeMessenger
) -> None:
    """G10."""
    messenger.fail("send", Throttled(retry_after_s=280), chat="chat-ann")
    stage.answered("hello")
    async with stage.posting(messenger):
        await until(lambda: bool(messenger.calls["send"]))
        stage.answered("hello", sender="ben", says=["to Ben"])

        await until(lambda: "sent" in states(stage), "Ben's answer")

        assert messenger.texts() == ["to Ben"]
        (waiting,) = [row for row in stage.deliveries() if row.state == "pending"]
        assert (waiting.due_at - stage.clock.now()).total_seconds() == 280
        assert (waiting.error, waiting.attempts) == ("throttled", 0)
        stage.pass_time(281)
        await until_sent(stage)

    assert messenger.texts("chat-ann") == ["All well."]
    assert stage.metric("parlour_throttled_total", channel="telegram") == 1


async def test_an_answer_that_comes_while_its_chat_is_throttled_waits_too(
    stage: Stage, messenger: FakeMessenger
) -> None:
    messenger.fail("send", Throttled(retry_after_s=280), chat="chat-ann")
    stage.answered("one", says=["one"])
    async with stage.posting(messenger):
        await until(lambda: stage.deliveries()[0].error == "throttled")
        stage.answered("two", says=["two"])
        stage.pass_time(100)
        stage.answered("hello", sender="ben")
        await until(lambda: "sent" in states(stage), "Ben's answer")
        assert messenger.calls["send"] == 2

        stage.pass_time(181)
        await until_sent(stage)

    assert messenger.texts("chat-ann") == ["one", "two"]


async def test_a_throttled_account_posts_nothing_until_its_time(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("send", Throttled(retry_after_s=30, scope="account"))
    stage.answered("hello")
    async with stage.posting(messenger):
        await until(lambda: stage.deliveries()[0].error == "throttled")
        stage.answered("hello", sender="ben")
        stage.pass_time(1)
        await until(lambda: all(row.due_at > stage.clock.now() for row in stage.deliveries()), "Ben's is put off")
        assert messenger.calls["send"] == 1

        stage.pass_time(31)
        await until_sent(stage)


async def test_what_was_certainly_not_sent_is_sent_later(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("send", NotSent(), times=3)
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage, step_s=5)

    assert messenger.texts() == ["All well."]
    assert messenger.calls["settle"] == 0


async def test_the_longer_a_messenger_is_away_the_rarer_it_is_asked(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("send", NotSent(), times=None)
    stage.answered("hello")
    delays: list[float] = []
    async with stage.posting(messenger):
        for number in range(1, 11):
            await until(lambda number=number: stage.deliveries()[0].attempts == number)  # type: ignore[misc]
            (row,) = stage.deliveries()
            delays.append((row.due_at - stage.clock.now()).total_seconds())
            stage.pass_time(delays[-1])

    assert 0.4 <= delays[0] <= 0.6
    assert delays[-1] > 40
    assert max(delays) <= 72


async def test_a_lost_answer_is_settled_and_never_posted_blindly(stage: Stage, messenger: FakeMessenger) -> None:
    """G5: the message is there, only the messenger's answer got lost."""
    messenger.fail("send", OutcomeUnknown(), is_done=True)
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage, step_s=5)

    assert messenger.texts() == ["All well."]
    assert (messenger.calls["send"], messenger.calls["settle"]) == (1, 1)


async def test_a_post_that_is_certainly_not_there_is_sent_once_more(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("send", OutcomeUnknown())
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage, step_s=5)

    assert messenger.texts() == ["All well."]
    assert (messenger.calls["send"], messenger.calls["settle"]) == (2, 1)


@pytest.mark.parametrize(
    "error", [NotSent(), OutcomeUnknown(), Throttled(retry_after_s=3), CredentialsRejected("revoked"), RuntimeError()]
)
async def test_what_is_unknown_stays_so_while_it_cannot_be_settled(
    stage: Stage, messenger: FakeMessenger, error: Exception
) -> None:
    """Otherwise trouble while asking would end in a second post."""
    messenger.fail("send", OutcomeUnknown(), is_done=True)
    messenger.fail("settle", error, times=2)
    stage.answered("hello")

    async with stage.posting(messenger):
        await until_sent(stage, step_s=30)

    assert messenger.texts() == ["All well."]
    assert (messenger.calls["send"], messenger.calls["settle"]) == (1, 3)


async def test_a_request_that_hangs_is_ended_and_settled(stage: Stage, messenger: FakeMessenger) -> None:
    """Else the delivery, and with it its conversation, would stand for as long as the gateway lives."""
    messenger.gates["send"] = asyncio.Event()
    stage.answered("hello")

    async with stage.posting(messenger, longest_s=0.01):
        await until(lambda: states(stage) == ["unknown"], "the request is ended")
        del messenger.gates["send"]
        await until_sent(stage, step_s=5)

    assert messenger.texts() == ["All well."]
    assert messenger.calls["settle"] >= 1


async def test_a_later_part_that_is_not_there_is_sent_again_and_the_first_is_not_forgotten(
    stage: Stage, messenger: FakeMessenger
) -> None:
    messenger.part_chars = 5
    stage.answered("hello", says=["abcdefghij"])
    messenger.fail("send", OutcomeUnknown(), skip=1)

    async with stage.posting(messenger):
        await until_sent(stage, step_s=5)

    assert messenger.texts() == ["abcde", "fghij"]
    assert _known(stage) == [["m1", "m2"]]


async def test_a_post_that_is_refused_for_good_fails_and_the_next_goes_on(
    stage: Stage, messenger: FakeMessenger
) -> None:
    messenger.fail("send", Rejected("chat_gone"))
    stage.answered("one")
    stage.answered("two", says=["two"])

    async with stage.posting(messenger):
        await until(lambda: states(stage) == ["failed", "sent"])

    assert stage.deliveries()[0].error == "chat_gone"
    assert messenger.texts() == ["two"]
    assert stage.metric("parlour_deliveries_finished_total", channel="telegram", state="failed") == 1


async def test_rejected_credentials_mark_the_account_and_lose_nothing(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("send", CredentialsRejected("revoked"))
    stage.answered("hello")

    async with stage.posting(messenger):
        await until(lambda: stage.deliveries()[0].error == "credentials")
        with stage.platform.database.read() as session:
            assert session.scalars(select(Account.state)).one() == "rejected"
        stage.pass_time(61)
        await until_sent(stage)


async def test_a_delivery_that_breaks_stops_no_other_and_is_settled(stage: Stage, messenger: FakeMessenger) -> None:
    """Nobody can say how far it came."""
    messenger.fail("send", RuntimeError("unforeseen"), chat="chat-ann", is_done=True)
    stage.answered("hello")
    stage.answered("hello", sender="ben")

    async with stage.posting(messenger):
        await until_sent(stage, step_s=2)

    assert messenger.texts() == ["All well.", "All well."]
    assert messenger.calls["settle"] == 1


async def test_a_chat_whose_request_hangs_holds_up_no_other(stage: Stage, messenger: FakeMessenger) -> None:
    """G10."""
    messenger.gates["send"] = asyncio.Event()
    stage.answered("hello")
    async with stage.posting(messenger):
        await until(lambda: messenger.calls["send"] == 1)
        gate = messenger.gates.pop("send")
        stage.answered("hello", sender="ben", says=["to Ben"])
        stage.pass_time(0)

        await until(lambda: messenger.texts() == ["to Ben"])
        gate.set()
        await until_sent(stage)


# ---- senders that come and go ----


async def test_what_a_crashed_gateway_was_sending_is_settled_by_the_next(
    stage: Stage, messenger: FakeMessenger
) -> None:
    """G5: its request had been carried out."""
    stage.answered("hello")
    crashed = stage.ledger(owner="crashed")
    crashed.hold(stage.account_id)
    (shipment,), _ = crashed.take_due(messenger, limit=1)
    await messenger.send(stage.sender(messenger)._post(shipment, frozenset()))
    stage.clock.advance(60)

    async with stage.posting(messenger, owner="gateway-2"):
        await until_sent(stage)

    assert messenger.texts() == ["All well."]
    assert (messenger.calls["send"], messenger.calls["settle"]) == (1, 1)


async def test_a_frozen_sender_posts_nothing_more_once_its_lease_is_over(
    stage: Stage, messenger: FakeMessenger
) -> None:
    stage.answered("hello")
    elapsed = [0.0]
    sender = stage.sender(messenger, monotonic=lambda: elapsed[0])
    ledger = stage.ledger()
    ledger.hold(stage.account_id)
    (shipment,), _ = ledger.take_due(messenger, limit=1)
    elapsed[0] = 100.0

    outcome = await sender._try(shipment)

    assert messenger.calls["send"] == 0
    assert (outcome.state.value, outcome.counts) == ("pending", False)


async def test_two_gateways_post_every_answer_once(stage: Stage, messenger: FakeMessenger) -> None:
    for sender in ("ann", "ben", "cid", "dot"):
        stage.answered("hello", sender=sender)

    async with stage.posting(messenger, owner="gateway-1"), stage.posting(messenger, owner="gateway-2"):
        await until_sent(stage)

    assert messenger.calls["send"] == 4


async def test_a_gateway_that_stops_finishes_what_is_on_its_way_and_lets_the_account_go(
    stage: Stage, messenger: FakeMessenger
) -> None:
    messenger.gates["send"] = gate = asyncio.Event()
    stage.answered("hello")
    async with stage.posting(messenger):
        await until(lambda: messenger.calls["send"] == 1)
        asyncio.get_running_loop().call_later(0.05, gate.set)

    assert states(stage) == ["sent"]
    assert stage.ledger(owner="gateway-2").hold(stage.account_id)


async def test_what_the_messenger_said_is_kept_until_it_can_be_written(
    stage: Stage, messenger: FakeMessenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = stage.ledger()
    record, tries = ledger.record, list[int]()

    def busy_at_first(outcomes: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise DatabaseLocked("busy")
        record(outcomes)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "record", busy_at_first)
    stage.answered("hello")

    async with stage.posting(messenger, ledger=ledger):
        await until_sent(stage)

    assert (messenger.calls["send"], messenger.calls["settle"]) == (1, 0)


async def test_a_part_of_the_sender_that_breaks_ends_the_whole(
    stage: Stage, messenger: FakeMessenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a sender would hold the lease and do nothing; whoever runs it starts it again."""
    ledger = stage.ledger()

    def broken(_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(ledger, "record", broken)
    stage.answered("hello")

    with pytest.raises(RuntimeError):
        await asyncio.wait_for(stage.sender(messenger, ledger=ledger).run(), 60)

    async with stage.posting(messenger):
        await until_sent(stage, step_s=1)
    assert messenger.texts() == ["All well."]


async def test_an_erased_persons_answer_is_not_posted(stage: Stage, messenger: FakeMessenger) -> None:
    """G8; see the ledger's tests for how it is noticed."""
    stage.answered("hello")
    with stage.platform.database.begin() as session:
        session.execute(update(Delivery).values(state="failed", error="erased"))
    stage.answered("hello", sender="ben", says=["to Ben"])

    async with stage.posting(messenger):
        await until(lambda: "sent" in states(stage))

    assert messenger.texts() == ["to Ben"]


def _known(stage: Stage) -> list[list[str]]:
    """The messenger's ids that the ledger keeps, opened."""
    keys = MessageKeys(stage.platform.privacy)
    return [list(keys.open(UserId(row.user_id), row.id, row.external_keys)) for row in stage.deliveries()]
