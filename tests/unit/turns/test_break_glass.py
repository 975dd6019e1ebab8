"""What people said is opened for a reason only, and the log says so before anything is seen."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from parlour.people.doer import Doer
from parlour.privacy.audit import LONGEST_REASON, tail
from parlour.privacy.errors import SealBroken
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Message
from parlour.turns.break_glass import SHORTEST_REASON, Opened, OpenedMessage, ReasonMissing, Spot, break_glass
from parlour.turns.conversation_list import NoSuchConversation
from parlour.turns.ports import Taken
from tests.support.stage import Stage

REASON = "Complaint 17 about a wrong answer"


def opened(
    stage: Stage, taken: Taken, reason: str = REASON, workspace_id: WorkspaceId | None = None
) -> Sequence[OpenedMessage]:
    return opened_before(stage, taken, None, reason, workspace_id).messages


def opened_before(
    stage: Stage,
    taken: Taken,
    before: Spot | None,
    reason: str = REASON,
    workspace_id: WorkspaceId | None = None,
) -> Opened:
    parts = stage.platform
    its, by = workspace_id or parts.accounts.ensure_workspace(), Doer(parts.privacy, "user:boss")
    assert taken.conversation_id is not None
    return break_glass(parts.database, its, taken.conversation_id, reason=reason, by=by, before=before)


def log_of(stage: Stage) -> list[tuple[str, str, str | None]]:
    return [(one.actor, one.action, one.reason) for one in tail(stage.platform.database, stage.platform.privacy)]


def test_messages_open_in_order_and_the_log_keeps_who_and_why(stage: Stage) -> None:
    taken = stage.answered("what is due?", says=["Nothing."])

    found = opened(stage, taken)

    assert [(one.author, one.text) for one in found] == [("user", "what is due?"), ("assistant", "Nothing.")]
    assert log_of(stage) == [("user:boss", "content.open", REASON)]


def test_older_messages_open_from_where_the_newer_ended_and_each_opening_is_logged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, *_ = [stage.answered(f"question {number}", says=[f"answer {number}"]) for number in range(3)]
    monkeypatch.setattr("parlour.turns.break_glass.MOST", 3)

    newer = opened_before(stage, taken, None)
    assert newer.older is not None
    older = opened_before(stage, taken, Spot.of(newer.older.word))

    assert [one.text for one in older.messages] == ["question 0", "answer 0", "question 1"]
    assert [one.text for one in newer.messages] == ["answer 1", "question 2", "answer 2"]
    assert older.older is None
    assert log_of(stage) == [("user:boss", "content.open", REASON)] * 2


@pytest.mark.parametrize("word", ["", "1", "1~x", f"x~{UUID(int=7)}", f"{'9' * 5_000}~{UUID(int=7)}"])
def test_a_word_that_is_no_spot_stands_for_none(word: str) -> None:
    assert Spot.of(word) is None


@pytest.mark.parametrize("length", [SHORTEST_REASON, LONGEST_REASON])
def test_a_reason_of_either_bound_will_do(stage: Stage, length: int) -> None:
    reason = "x" * length

    opened(stage, stage.answered("hello"), reason)

    assert log_of(stage) == [("user:boss", "content.open", reason)]


def test_the_log_has_its_entry_even_when_opening_fails(stage: Stage) -> None:
    taken = stage.answered("hello")
    with stage.platform.database.begin() as session:
        row = session.query(Message).first()
        assert row is not None
        row.body = row.body[:-1] + bytes([row.body[-1] ^ 1])

    with pytest.raises(SealBroken):
        opened(stage, taken)

    assert log_of(stage) == [("user:boss", "content.open", REASON)]


def test_what_a_person_said_whose_key_is_gone_stays_closed(stage: Stage) -> None:
    taken = stage.answered("hello")
    stage.shred(stage.turn(taken).user_id)

    assert {one.text for one in opened(stage, taken)} == {None}


@pytest.mark.parametrize("reason", ["", "   ", "because", "   short   ", "x" * 1_001])
def test_without_a_reason_nothing_opens_and_nothing_is_logged(stage: Stage, reason: str) -> None:
    taken = stage.answered("hello")

    with pytest.raises(ReasonMissing):
        opened(stage, taken, reason)

    assert log_of(stage) == []


def test_a_conversation_of_another_workspace_is_an_unknown_one(stage: Stage) -> None:
    taken = stage.answered("hello")

    with pytest.raises(NoSuchConversation):
        opened(stage, taken, workspace_id=WorkspaceId(new_id()))

    assert log_of(stage) == []


def test_what_is_past_its_time_is_not_opened_though_no_purge_has_come(stage: Stage) -> None:
    taken = stage.answered("hello")
    stage.pass_time(91 * 86_400)

    assert opened(stage, taken) == []
