"""Conversations and thumbs as operators see them: by page, filtered, never of another workspace, never content."""

from uuid import UUID

import pytest

from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Feedback
from parlour.turns.conversation_list import (
    ConversationFilter,
    NoSuchConversation,
    list_conversations,
    show_conversation,
    turns_of,
)
from parlour.turns.feedback_list import FeedbackFilter, Totals, feedback_totals, list_feedback
from tests.support.stage import Stage


def workspace_of(stage: Stage) -> WorkspaceId:
    return stage.platform.accounts.ensure_workspace()


def chats(stage: Stage, *names: str) -> list[UUID]:
    """Conversations, one a minute, oldest first."""
    found = []
    for name in names:
        found.append(
            UUID(str(stage.say("hello", sender=name, is_private=not name.startswith("group")).conversation_id))
        )
        stage.pass_time(60)
    return found


def ids(stage: Stage, **wanted: object) -> list[UUID]:
    filtered = ConversationFilter(**wanted)  # type: ignore[arg-type]
    return [one.id for one in list_conversations(stage.platform.database, workspace_of(stage), filtered)]


def test_the_newest_conversation_stands_first_and_pages_join_without_gap_or_repeat(stage: Stage) -> None:
    made = chats(stage, "ann", "ben", "cem", "dee", "eve")
    database, workspace_id = stage.platform.database, workspace_of(stage)
    seen, behind = [], None

    while page := list_conversations(database, workspace_id, behind=behind, limit=2):
        seen += [one.id for one in page]
        behind = page[-1].place

    assert seen == made[::-1]


def test_conversations_of_one_moment_page_by_their_ids(stage: Stage) -> None:
    made = {stage.say("hello", sender=name).conversation_id for name in ("ann", "ben", "cem")}
    database, workspace_id = stage.platform.database, workspace_of(stage)

    first = list_conversations(database, workspace_id, limit=2)
    second = list_conversations(database, workspace_id, behind=first[-1].place, limit=2)

    assert len(second) == 1
    assert {one.id for one in [*first, *second]} == made


def test_filters_leave_what_was_asked_for(stage: Stage) -> None:
    ann, ben, group = chats(stage, "ann", "ben", "group")
    lines = {one.id: one for one in list_conversations(stage.platform.database, workspace_of(stage))}

    assert ids(stage, user_id=lines[ann].user_id) == [ann]
    assert ids(stage, is_private=True) == [ben, ann]
    assert ids(stage, since=lines[ben].created_at, until=lines[group].created_at) == [ben]
    assert ids(stage, account_id=stage.account_id) == [group, ben, ann]
    assert ids(stage, account_id=new_id()) == []


def test_a_conversation_tells_its_turns_and_when_the_last_one_came(stage: Stage) -> None:
    stage.answered("my secret is 42", says=["I keep it."])
    stage.pass_time(60)
    taken = stage.say("and now?")

    line = show_conversation(stage.platform.database, workspace_of(stage), stage.conversation(taken).id)
    turns = turns_of(stage.platform.database, workspace_of(stage), line.id)

    assert (line.turns, line.last_at, line.channel) == (2, stage.turn(taken).received_at, "telegram")
    assert [(turn.seq, turn.state) for turn in turns] == [(2, "queued"), (1, "answered")]
    assert "secret" not in repr((line, turns))


def test_another_workspace_sees_no_conversation_and_learns_of_none(stage: Stage) -> None:
    (ann,) = chats(stage, "ann")
    stranger = WorkspaceId(new_id())

    assert list_conversations(stage.platform.database, stranger) == []
    messages = []
    for unknown in (ann, new_id()):
        with pytest.raises(NoSuchConversation) as refused:
            turns_of(stage.platform.database, stranger, unknown)
        messages.append(str(refused.value).replace(str(unknown), "X"))
    assert messages[0] == messages[1]


def thumb(stage: Stage, text: str, *, is_positive: bool) -> UUID:
    turn = stage.turn(stage.answered(text))
    with stage.platform.database.begin() as session:
        row = Feedback(
            id=new_id(),
            turn_id=turn.id,
            user_id=turn.user_id,
            is_positive=is_positive,
            created_at=stage.clock.now(),
            expires_at=None,
        )
        session.add(row)
    stage.pass_time(60)
    return row.id


def test_thumbs_are_listed_newest_first_and_counted(stage: Stage) -> None:
    up, down, late = (thumb(stage, "hi", is_positive=is_up) for is_up in (True, False, True))
    database, workspace_id = stage.platform.database, workspace_of(stage)

    listed = list_feedback(database, workspace_id, limit=2)
    rest = list_feedback(database, workspace_id, behind=listed[-1].place)

    assert [one.id for one in [*listed, *rest]] == [late, down, up]
    assert {one.answered_by for one in listed} == {"chat"}
    assert [one.id for one in list_feedback(database, workspace_id, FeedbackFilter(is_positive=False))] == [down]
    assert feedback_totals(database, workspace_id) == Totals(up=2, down=1)
    assert feedback_totals(database, workspace_id, FeedbackFilter(since=listed[0].created_at)) == Totals(1, 0)
    assert feedback_totals(database, workspace_id, at_most=2) == Totals(up=1, down=1, is_all=False)
    assert feedback_totals(database, WorkspaceId(new_id())) == Totals(0, 0)
    assert list_feedback(database, WorkspaceId(new_id())) == []
