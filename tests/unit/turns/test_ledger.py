"""What has to reach a messenger, who sends it, and what becomes of the row (G5)."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from parlour.store.models import Message
from parlour.turns.ledger import Ledger
from parlour.turns.ports import SendLimits
from parlour.turns.shipments import Outcome, Shipment
from parlour.turns.states import DeliveryState
from tests.fakes.turns import FakeMessenger
from tests.support.stage import Stage

MakeStage = Callable[..., Stage]


def taken(stage: Stage, ledger: Ledger, messenger: FakeMessenger | None = None) -> list[Shipment]:
    """What the ledger gives out, with the lease held."""
    ledger.hold(stage.account_id)
    return ledger.take_due(messenger or FakeMessenger(stage.account_id), limit=50)[0]


def sent(shipment: Shipment, key: str) -> Outcome:
    return Outcome(shipment, DeliveryState.SENT, external_key=key)


def states(stage: Stage) -> list[str]:
    return [row.state for row in stage.deliveries()]


# ---- the sender lease ----


def test_one_gateway_at_a_time_holds_an_account(stage: Stage) -> None:
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")

    assert first.hold(stage.account_id)
    assert not second.hold(stage.account_id)
    assert first.hold(stage.account_id)


def test_an_account_is_taken_over_once_its_lease_has_run_out(stage: Stage) -> None:
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")
    first.hold(stage.account_id)

    stage.clock.advance(first.lease.total_seconds() + 1)

    assert second.hold(stage.account_id)
    assert not first.hold(stage.account_id)


def test_an_account_let_go_is_free_at_once(stage: Stage) -> None:
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")
    first.hold(stage.account_id)

    first.let_go(stage.account_id)

    assert second.hold(stage.account_id)


def test_letting_go_late_takes_nothing_from_the_new_holder(stage: Stage) -> None:
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")
    first.hold(stage.account_id)
    stage.clock.advance(60)
    second.hold(stage.account_id)

    first.let_go(stage.account_id)

    assert not stage.ledger(owner="gateway-3").hold(stage.account_id)


def test_without_the_lease_nothing_is_taken(stage: Stage) -> None:
    """Whatever the process believes: it may have been frozen since it looked."""
    stage.answered("hello")
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")
    first.hold(stage.account_id)
    stage.clock.advance(60)
    second.hold(stage.account_id)

    assert first.take_due(FakeMessenger(stage.account_id), limit=50) == ([], None)
    assert states(stage) == ["pending"]


def test_what_a_dead_gateway_was_sending_becomes_unknown(stage: Stage) -> None:
    """G5: nobody knows whether its request was carried out."""
    stage.answered("hello")
    taken(stage, stage.ledger())
    assert states(stage) == ["sending"]
    stage.clock.advance(60)

    (shipment,) = taken(stage, stage.ledger(owner="gateway-2"))

    assert shipment.must_settle


def test_what_was_being_sent_stays_so_while_its_gateway_lives(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    taken(stage, ledger)

    ledger.hold(stage.account_id)

    assert states(stage) == ["sending"]


def test_a_sender_that_starts_anew_settles_what_its_predecessor_left_in_the_same_process(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    taken(stage, ledger)

    ledger.hold(stage.account_id, is_first=True)

    assert states(stage) == ["unknown"]


def test_the_record_of_a_gateway_that_was_taken_over_is_refused(stage: Stage) -> None:
    stage.answered("hello")
    old = stage.ledger()
    (shipment,) = taken(stage, old)
    stage.clock.advance(60)
    stage.ledger(owner="gateway-2").hold(stage.account_id)

    old.record([sent(shipment, "m1")])

    assert states(stage) == ["unknown"]


def test_a_late_record_changes_nothing_of_what_the_next_gateway_is_sending(stage: Stage) -> None:
    stage.answered("hello")
    old = stage.ledger()
    (shipment,) = taken(stage, old)
    stage.clock.advance(60)
    taken(stage, stage.ledger(owner="gateway-2"))

    old.record([Outcome(shipment, DeliveryState.FAILED)])

    assert [(row.state, row.owner) for row in stage.deliveries()] == [("sending", "gateway-2")]


# ---- taking ----


def test_a_due_delivery_is_taken_with_all_that_posting_needs(stage: Stage) -> None:
    stage.answered("你好", message_key="the-question", says=["你好！"])

    (shipment,) = taken(stage, stage.ledger())

    assert (shipment.text, shipment.index, shipment.count) == ("你好！", 0, 1)
    assert (shipment.reply_to, shipment.language, shipment.is_answer) == ("the-question", "zh", True)
    assert (shipment.address.chat, shipment.must_settle, shipment.draft_key) == ("chat-ann", False, None)


def test_a_notice_asks_for_no_opinion(stage: Stage) -> None:
    stage.command("help")

    (shipment,) = taken(stage, stage.ledger())

    assert not shipment.is_answer


def test_what_is_taken_is_not_taken_again(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    taken(stage, ledger)

    assert taken(stage, ledger) == []


def test_within_a_conversation_one_goes_at_a_time_in_order(stage: Stage) -> None:
    for text in ("one", "two", "three"):
        stage.answered(text, says=[text])
    ledger = stage.ledger()
    order = []
    for number in range(3):
        (shipment,) = taken(stage, ledger)
        order.append(shipment.text)
        ledger.record([sent(shipment, f"m{number}")])

    assert order == ["one", "two", "three"]


def test_conversations_go_side_by_side(stage: Stage) -> None:
    stage.answered("hello")
    stage.answered("hello", sender="ben")

    assert len(taken(stage, stage.ledger())) == 2


def test_an_answer_whose_fate_is_unknown_holds_up_the_next_of_its_conversation(stage: Stage) -> None:
    """Order: the one before it may still appear."""
    stage.answered("one")
    stage.answered("two")
    ledger = stage.ledger()
    (first,) = taken(stage, ledger)

    ledger.record([Outcome(first, DeliveryState.UNKNOWN, delay_s=60)])

    assert taken(stage, ledger) == []


def test_an_answer_that_failed_lets_the_next_go_on(stage: Stage) -> None:
    stage.answered("one")
    stage.answered("two", says=["second"])
    ledger = stage.ledger()
    (first,) = taken(stage, ledger)

    ledger.record([Outcome(first, DeliveryState.FAILED, error="chat_gone")])

    (second,) = taken(stage, ledger)
    assert second.text == "second"


def test_only_so_many_are_taken_at_once(stage: Stage) -> None:
    for sender in ("ann", "ben", "cid"):
        stage.answered("hello", sender=sender)
    ledger = stage.ledger()
    ledger.hold(stage.account_id)

    assert len(ledger.take_due(FakeMessenger(stage.account_id), limit=2)[0]) == 2


def test_the_next_look_is_when_the_next_is_due(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    (shipment,) = taken(stage, ledger)
    ledger.record([Outcome(shipment, DeliveryState.PENDING, delay_s=7.5)])

    assert ledger.take_due(FakeMessenger(stage.account_id), limit=50) == ([], 7.5)
    stage.clock.advance(7.5)
    assert len(taken(stage, ledger)) == 1


def test_what_another_account_has_to_post_is_left_alone(stage: Stage) -> None:
    other = stage.platform.accounts.register("telegram", "other", "Other")
    stage.answered("hello", account_id=other)

    assert taken(stage, stage.ledger()) == []


# ---- the send budget ----


def test_a_chat_over_its_limit_is_put_off_in_sql_and_no_other_waits(stage: Stage) -> None:
    """G10."""
    messenger = FakeMessenger(stage.account_id)
    messenger.send_limits = SendLimits(chat_per_s=1.0)
    ledger = stage.ledger()
    stage.answered("one")
    (first,) = taken(stage, ledger, messenger)
    ledger.record([sent(first, "m1")])
    stage.answered("two")
    stage.answered("hello", sender="ben", says=["to Ben"])

    shipments = taken(stage, ledger, messenger)

    assert [shipment.text for shipment in shipments] == ["to Ben"]
    waiting = next(row for row in stage.deliveries() if row.state == "pending")
    assert waiting.due_at == stage.clock.now() + timedelta(seconds=1)


def test_an_account_over_its_limit_puts_off_everything(stage: Stage) -> None:
    messenger = FakeMessenger(stage.account_id)
    messenger.send_limits = SendLimits(account_per_s=1.0)
    stage.answered("hello")
    stage.answered("hello", sender="ben")

    assert len(taken(stage, stage.ledger(), messenger)) == 1
    stage.clock.advance(1)
    assert len(taken(stage, stage.ledger(), messenger)) == 1


# ---- recording ----


def test_what_is_sent_is_remembered_with_the_messengers_id_sealed(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    (shipment,) = taken(stage, ledger)

    ledger.record([sent(shipment, "message-4711")])

    (row,) = stage.deliveries()
    assert (row.state, row.sent_at, row.owner, row.parts) == ("sent", stage.clock.now(), None, None)
    assert row.external_keys is not None
    assert b"4711" not in row.external_keys
    with stage.platform.database.read() as session:
        assert session.query(Message).filter(Message.author == "assistant").one().external_hash is not None


def test_a_long_answer_goes_in_parts_one_after_another(stage: Stage) -> None:
    messenger = FakeMessenger(stage.account_id, part_chars=10)
    stage.answered("hello", says=["0123456789abcdefghij-end"])
    ledger = stage.ledger()
    seen = []
    for number in range(3):
        (shipment,) = taken(stage, ledger, messenger)
        seen.append((shipment.index, shipment.count, shipment.text, shipment.keys))
        ledger.record([sent(shipment, f"m{number}")])

    assert seen == [
        (0, 3, "0123456789", ()),
        (1, 3, "abcdefghij", ("m0",)),
        (2, 3, "-end", ("m0", "m1")),
    ]
    assert states(stage) == ["sent"]


def test_the_next_answer_waits_for_all_parts(stage: Stage) -> None:
    messenger = FakeMessenger(stage.account_id, part_chars=10)
    stage.answered("one", says=["0123456789abc"])
    stage.answered("two", says=["next"])
    ledger = stage.ledger()
    (first,) = taken(stage, ledger, messenger)

    ledger.record([sent(first, "m1")])

    (second,) = taken(stage, ledger, messenger)
    assert second.text == "abc"


def test_parts_stay_as_they_were_planned(stage: Stage) -> None:
    """A new version may split otherwise; midway that would lose or repeat text."""
    stage.answered("hello", says=["0123456789abcdefghij"])
    ledger = stage.ledger()
    (first,) = taken(stage, ledger, FakeMessenger(stage.account_id, part_chars=10))
    ledger.record([sent(first, "m1")])

    (second,) = taken(stage, ledger, FakeMessenger(stage.account_id, part_chars=4))

    assert (second.text, second.count) == ("abcdefghij", 2)


def test_parts_are_sealed_while_they_wait(stage: Stage) -> None:
    stage.answered("hello", says=["0123456789abcdefghij"])
    taken(stage, stage.ledger(), FakeMessenger(stage.account_id, part_chars=10))

    (row,) = stage.deliveries()
    assert row.parts is not None
    assert b"abcdef" not in row.parts


def test_tries_are_counted_for_each_part_anew(stage: Stage) -> None:
    messenger = FakeMessenger(stage.account_id, part_chars=10)
    stage.answered("hello", says=["0123456789abc"])
    ledger = stage.ledger()
    (first,) = taken(stage, ledger, messenger)
    ledger.record([Outcome(first, DeliveryState.PENDING)])
    (first,) = taken(stage, ledger, messenger)
    assert first.attempts == 1
    ledger.record([sent(first, "m1")])

    (second,) = taken(stage, ledger, messenger)

    assert second.attempts == 0


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.UNKNOWN])
def test_an_answer_that_could_not_be_sent_for_a_day_is_given_up(stage: Stage, state: DeliveryState) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    stage.clock.advance(86_401)
    (shipment,) = taken(stage, ledger)

    ledger.record([Outcome(shipment, state)])

    (row,) = stage.deliveries()
    assert (row.state, row.error) == ("failed", "too_late")


def test_a_throttled_conversation_is_held_up_as_a_whole(stage: Stage) -> None:
    stage.answered("one")
    stage.answered("two")
    stage.answered("hello", sender="ben")
    ledger = stage.ledger()
    first, _ = taken(stage, ledger)

    ledger.record([Outcome(first, DeliveryState.PENDING, delay_s=60, holds_up_chat=True)])

    later = stage.clock.now() + timedelta(seconds=60)
    held = [row.due_at for row in stage.deliveries() if row.conversation_id == first.conversation_id]
    assert held == [later, later]


def test_known_ids_are_those_of_our_other_messages_in_the_conversation(stage: Stage) -> None:
    ledger = stage.ledger()
    for number, sender in enumerate(["ann", "ann", "ben"]):
        stage.answered("hello", sender=sender)
        (shipment,) = taken(stage, ledger)
        ledger.record([sent(shipment, f"m{number}")])
    stage.answered("again")
    (shipment,) = taken(stage, ledger)

    assert ledger.known_keys(shipment) == {"m0", "m1"}


# ---- what cannot be sent ----


def test_nothing_of_an_erased_person_is_sent(stage: Stage) -> None:
    """G8."""
    stage.answered("hello")
    stage.shred(stage.turns()[0].user_id)

    assert taken(stage, stage.ledger()) == []
    (row,) = stage.deliveries()
    assert (row.state, row.error) == ("failed", "erased")


@pytest.mark.parametrize(("gone", "error"), [(Stage.shred, "erased"), (Stage.lose_key, "KeysMissing")])
def test_a_person_erased_while_their_answer_is_on_its_way_costs_nobody_elses_receipt(
    stage: Stage, gone: Callable[[Stage, UUID], None], error: str
) -> None:
    """G5, G8."""
    stage.answered("hello")
    stage.answered("hello", sender="ben")
    ledger = stage.ledger()
    shipments = taken(stage, ledger)
    gone(stage, shipments[0].user_id)

    ledger.record([sent(shipment, "m1") for shipment in shipments])

    rows = {row.user_id: (row.state, row.error, row.external_keys is not None) for row in stage.deliveries()}
    assert [rows[shipment.user_id] for shipment in shipments] == [("failed", error, False), ("sent", None, True)]


def test_known_ids_leave_out_those_of_a_person_erased_since(stage: Stage) -> None:
    ledger = stage.ledger()
    for sender in ("ben", "ann"):
        stage.answered("hello", sender=sender, chat="group", is_private=False)
        (shipment,) = taken(stage, ledger)
        ledger.record([sent(shipment, f"of-{sender}")])
    stage.shred(stage.turns()[0].user_id)
    stage.answered("again", chat="group", is_private=False)
    (shipment,) = taken(stage, ledger)

    assert ledger.known_keys(shipment) == {"of-ann"}


def test_a_delivery_that_does_not_open_fails_alone(stage: Stage) -> None:
    """G10: a damaged row must not stop the account."""
    damaged = stage.answered("hello")
    stage.answered("hello", sender="ben", says=["to Ben"])
    with stage.platform.database.begin() as session:
        session.execute(
            update(Message).where(Message.turn_id == damaged.turn_id, Message.author == "assistant").values(body=b"x")
        )

    shipments = taken(stage, stage.ledger())

    assert [shipment.text for shipment in shipments] == ["to Ben"]
    assert sorted(states(stage)) == ["failed", "sending"]


def test_a_delivery_that_cannot_be_split_fails_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    messenger = FakeMessenger(stage.account_id)
    split = messenger.split

    def fragile(markdown: str) -> list[str]:
        if "bad" in markdown:
            raise ValueError(markdown)
        return split(markdown)

    monkeypatch.setattr(messenger, "split", fragile)
    stage.answered("hello", says=["bad"])
    stage.answered("hello", sender="ben", says=["good"])

    assert [shipment.text for shipment in taken(stage, stage.ledger(), messenger)] == ["good"]


def test_a_message_of_nothing_but_a_draft_is_never_taken(stage: Stage) -> None:
    taken_in = stage.say("hello")
    assert taken_in.turn_id
    stage.worker().claim(taken_in.turn_id)
    ledger = stage.ledger()
    target = ledger.drafts.target(taken_in.turn_id)
    assert target

    ledger.drafts.begin(target)

    assert states(stage) == ["drafting"]
    assert taken(stage, ledger) == []


def test_a_draft_that_shows_up_after_the_answer_was_settled_changes_nothing(stage: Stage) -> None:
    """Its gateway was frozen while another one took over."""
    taken_in = stage.say("hello")
    assert taken_in.turn_id
    worker = stage.worker()
    claim = worker.claim(taken_in.turn_id)
    ledger = stage.ledger()
    target = ledger.drafts.target(taken_in.turn_id)
    assert claim
    assert target
    ledger.drafts.begin(target)
    worker.order.hand_back(claim)
    stage.work(worker)
    (shipment,) = taken(stage, ledger)
    assert shipment.must_settle
    ledger.record([sent(shipment, "the-answer")])

    ledger.drafts.is_out(target, "the-draft")

    (row,) = stage.deliveries()
    assert row.draft_state == "none"
    assert ledger._keys.open(shipment.user_id, row.id, row.external_keys) == ("the-answer",)
