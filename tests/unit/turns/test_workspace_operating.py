"""Stuck work, messengers, retry and drop: for one workspace, with who did it in the audit log."""

from datetime import timedelta

import pytest

from parlour.people.doer import Doer
from parlour.privacy.audit import tail
from parlour.store.ids import WorkspaceId, new_id
from parlour.turns import operating
from parlour.turns.messenger_health import answering, list_messengers
from parlour.turns.stuck_list import list_stuck_work
from tests.support.stage import Stage

STRANGER = WorkspaceId(new_id())


def its(stage: Stage) -> WorkspaceId:
    return stage.platform.accounts.ensure_workspace()


def boss(stage: Stage) -> Doer:
    return Doer(stage.platform.privacy, "user:boss")


def test_stuck_work_is_listed_with_its_ids_for_its_own_workspace_alone(stage: Stage) -> None:
    taken = stage.say("hello")
    stage.pass_time(301)

    found = list_stuck_work(stage.platform.database, its(stage))

    assert [(str(one.kind), one.reason, one.id) for one in found] == [("turn", "waiting", taken.turn_id)]
    assert list_stuck_work(stage.platform.database, STRANGER) == []


def test_deliveries_and_their_missing_sender_are_listed_too(stage: Stage) -> None:
    stage.answered("hello")
    stage.pass_time(120)

    found = {(str(one.kind), one.reason) for one in list_stuck_work(stage.platform.database, its(stage))}

    assert found == {("delivery", "waiting"), ("sender", "missing")}
    assert list_stuck_work(stage.platform.database, STRANGER) == []


def test_a_turn_of_another_workspace_can_neither_be_dropped_nor_tried_again(stage: Stage) -> None:
    taken = stage.say("hello")
    assert taken.turn_id is not None
    parts = stage.platform

    with pytest.raises(operating.NoSuchTurn):
        operating.drop_turn(parts.database, parts.outbox, taken.turn_id, workspace_id=STRANGER, by=boss(stage))
    with pytest.raises(operating.NoSuchTurn):
        operating.retry_turn(parts.database, taken.turn_id, workspace_id=STRANGER, by=boss(stage))

    assert stage.states() == ["queued"]
    assert tail(parts.database, parts.privacy) == []


def test_dropping_and_trying_again_stand_in_the_audit_log(stage: Stage) -> None:
    taken = stage.say("hello")
    assert taken.turn_id is not None
    parts = stage.platform

    operating.drop_turn(parts.database, parts.outbox, taken.turn_id, workspace_id=its(stage), by=boss(stage))
    operating.retry_turn(parts.database, taken.turn_id, workspace_id=its(stage), by=boss(stage))

    assert stage.states() == ["queued"]
    entries = [(one.action, one.subject) for one in tail(parts.database, parts.privacy)]
    assert entries == [("turn.retry", str(taken.turn_id)), ("turn.drop", str(taken.turn_id))]


def test_a_messenger_tells_who_posts_for_it_and_what_waits(stage: Stage) -> None:
    stage.answered("hello")
    ledger = stage.ledger()
    ledger.lease = timedelta(days=1)
    assert ledger.hold(stage.account_id)

    (held,) = list_messengers(stage.platform.database, its(stage))
    stage.pass_time(86_401)
    (lapsed,) = list_messengers(stage.platform.database, its(stage))

    assert (held.channel, held.state, held.held_by, held.waiting) == ("telegram", "active", "gateway-1", 1)
    assert lapsed.held_by is None
    assert list_messengers(stage.platform.database, STRANGER) == []


def test_answering_tells_what_waits_and_who_is_at_it(stage: Stage) -> None:
    stage.say("hello")
    stage.say("hello", sender="ben")

    waiting = answering(stage.platform.database, its(stage))

    assert (waiting.waiting, waiting.running, waiting.workers) == (2, 0, ())
    assert answering(stage.platform.database, STRANGER).waiting == 0
