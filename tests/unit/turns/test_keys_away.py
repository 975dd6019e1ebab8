"""While the key provider is away everything waits with a clear state, and nothing is written unsealed or lost."""

import pytest
from sqlalchemy import select

from parlour.privacy.errors import KeysUnavailable
from parlour.store.ids import UserId
from parlour.store.models import Attachment, Identity, Message, Turn, User
from parlour.turns.attachments import Fetcher
from parlour.turns.ports import IncomingAttachment
from tests.fakes.keys import FakeOutage
from tests.fakes.turns import FakeMessenger
from tests.support.stage import Stage, until


@pytest.fixture
def outage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> FakeOutage:
    """The stage's provider, to be taken away."""
    keyring = stage.platform.privacy.keyring
    outage = FakeOutage(stage.platform.privacy.provider)
    monkeypatch.setattr(keyring, "_provider", outage)
    return outage


def forget(stage: Stage) -> None:
    """No key is in memory any more, as a minute later."""
    with stage.platform.database.read() as session:
        for user_id in session.scalars(select(User.id)):
            stage.platform.privacy.keyring.forget(UserId(user_id))


def test_a_turn_waits_and_is_answered_when_keys_are_back(stage: Stage, outage: FakeOutage) -> None:
    taken = stage.say("hello")
    forget(stage)

    with outage.away():
        stage.work(stage.worker())
        waiting = stage.turn(taken)
    stage.clock.advance(6)
    stage.platform.sweep()
    stage.work(stage.worker())

    assert (waiting.state, waiting.error, waiting.attempts) == ("queued", "keys_unavailable", 0)
    assert (stage.turn(taken).state, stage.messages("assistant")) == ("answered", ["All well."])


@pytest.mark.parametrize("sender", ["ann", "stranger"])
def test_what_is_said_meanwhile_is_refused_as_a_whole(stage: Stage, outage: FakeOutage, sender: str) -> None:
    stage.answered("before")
    before = [stage.count(table) for table in (User, Identity, Turn, Message)]
    forget(stage)

    with outage.away(), pytest.raises(KeysUnavailable):
        stage.say("meanwhile", sender=sender)

    assert [stage.count(table) for table in (User, Identity, Turn, Message)] == before


async def test_an_answer_waits_and_is_posted_once_when_keys_are_back(stage: Stage, outage: FakeOutage) -> None:
    stage.answered("hello")
    messenger = FakeMessenger(stage.account_id)
    ledger = stage.ledger()
    assert ledger.hold(stage.account_id)
    forget(stage)

    with outage.away():
        taken, due_again_s = ledger.take_due(messenger, limit=10)
        waiting = [row.state for row in stage.deliveries()]
    stage.clock.advance(6)
    async with stage.posting(messenger):
        await until(lambda: [row.state for row in stage.deliveries()] == ["sent"], "it is sent")

    assert (taken, due_again_s, waiting) == ([], 5.0, ["pending"])
    assert messenger.texts() == ["All well."]


async def test_nobody_elses_message_is_taken_for_an_answer_whose_fate_is_open(stage: Stage, outage: FakeOutage) -> None:
    """Which messages are others' stands sealed under keys that cannot be had: asking fails, to be asked again."""
    messenger = FakeMessenger(stage.account_id)
    stage.answered("hello", sender="bob", chat="group", is_private=False)
    async with stage.posting(messenger):
        await until(lambda: [row.state for row in stage.deliveries()] == ["sent"], "it is sent")
    stage.answered("hello too", sender="ann", chat="group", is_private=False)
    ledger = stage.ledger(owner="gateway-2")
    stage.clock.advance(31 * 86_400)
    assert ledger.hold(stage.account_id)
    ((shipment,), _) = ledger.take_due(messenger, limit=10)
    forget(stage)

    with outage.away(), pytest.raises(KeysUnavailable):
        ledger.known_keys(shipment)

    assert len(ledger.known_keys(shipment)) == 1


async def test_a_file_waits_to_be_fetched(stage: Stage, outage: FakeOutage) -> None:
    stage.say("look", attachments=(IncomingAttachment("a.bin", "application/x", "ref"),))
    forget(stage)

    with outage.away(), pytest.raises(KeysUnavailable):
        stage.platform.attachments.wanted(stage.account_id)

    messenger = FakeMessenger(stage.account_id)
    messenger.files["ref"] = b"content"
    (wanted,) = stage.platform.attachments.wanted(stage.account_id)
    await Fetcher(messenger=messenger, store=stage.platform.attachments, max_bytes=1_000)._fetch(wanted)
    with stage.platform.database.read() as session:
        assert session.scalars(select(Attachment.state)).all() == ["stored"]
