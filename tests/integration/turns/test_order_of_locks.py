"""Whoever locks several conversations does so in the order of their ids. SQLite has one lock for all."""

from functools import partial
from threading import Thread

from sqlalchemy import select

from parlour.store.models import Conversation
from parlour.turns.ports import Taken, Verdict
from tests import services
from tests.support.stage import Stage
from tests.support.waiting import is_somebody_waiting


def test_events_that_came_together_lock_their_conversations_in_the_order_of_those_who_announce(stage: Stage) -> None:
    lower, higher = sorted((stage.answered("hello", sender=name).conversation_id, name) for name in ("ann", "ben"))
    events = [stage.incoming("again", sender=name) for _, name in (higher, lower)]
    taken: list[Taken] = []
    intake = Thread(target=lambda: taken.extend(stage.platform.intake.receive_all(events)))

    with stage.platform.database.begin() as session:
        for number, (conversation_id, _) in enumerate((lower, higher)):
            session.execute(select(Conversation.id).where(Conversation.id == conversation_id).with_for_update())
            if number == 0:
                intake.start()
                waits = partial(is_somebody_waiting, stage.platform.database)
                services.wait_until(waits, what="the events wait for the first conversation")
    intake.join(60)

    assert [one.verdict for one in taken] == [Verdict.ACCEPTED] * 2
