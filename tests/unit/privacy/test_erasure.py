"""Erasing a person: nothing of theirs is left, nothing of others is gone, and it cannot be undone."""

import json
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from parlour.bootstrap import Platform
from parlour.engines.protocol import Request
from parlour.privacy.audit import tail, verify
from parlour.privacy.classes import personal_tables, user_columns
from parlour.privacy.erasure import AlreadyErased, LastOwnerStays
from parlour.privacy.errors import KeyShredded
from parlour.privacy.holds import UnderHold, add_hold, release_hold
from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.receipts import ReceiptBroken, verify_receipt
from parlour.store.ids import UserId, new_id
from parlour.store.models import Message, User
from parlour.store.privacy_models import Erasure
from tests.fakes.turns import ScriptedEngine, ScriptedStream
from tests.support.stage import Stage


def _user(stage: Stage, text: str) -> UserId:
    """Whoever wrote this."""
    with stage.platform.database.read() as session:
        for row in session.scalars(select(Message)):
            if stage.platform.sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body) == text:
                return UserId(row.user_id)
    raise AssertionError(f"nobody wrote {text}")


def _hold(parts: Platform, **on: UUID | None) -> UUID:
    """Put a person or a conversation (`user_id`, `conversation_id`) under a hold."""
    workspace_id = parts.accounts.ensure_workspace()
    return add_hold(
        parts.database, parts.privacy, workspace_id=workspace_id, reason="Case 17", actor="command:test", **on
    )


def _rows_of(stage: Stage, user_id: UserId) -> dict[str, int]:
    with stage.platform.database.read() as session:
        counts = {
            table.name: session.scalars(select(func.count()).select_from(table).where(table.c[column] == user_id)).one()
            for table in personal_tables()
            for column in (user_columns(table) if table.name != "users" else ["id"])
        }
    return {name: count for name, count in counts.items() if count}


def test_nothing_of_the_person_is_left_and_what_others_wrote_stays(stage: Stage) -> None:
    stage.answered("Ann here", sender="ann", chat="group", is_private=False)
    stage.answered("Bob here", sender="bob", chat="group", is_private=False)
    stage.answered("Ann alone", sender="ann")
    ann, bob = _user(stage, "Ann here"), _user(stage, "Bob here")

    stage.platform.eraser.erase(ann, actor="command:test")

    assert _rows_of(stage, ann) == {}
    assert _rows_of(stage, bob)["messages"] == 2
    assert "Bob here" in stage.messages()
    with pytest.raises(KeyShredded):
        stage.platform.privacy.keyring.data_key(ann)


def test_a_turn_that_is_being_answered_leaves_nothing_behind(stage: Stage) -> None:
    """The engine erases the person while it writes their answer."""
    stage.answered("first")
    ann = _user(stage, "first")

    class Erasing(ScriptedEngine):
        def stream(self, request: Request) -> ScriptedStream:
            stage.platform.eraser.erase(ann, actor="command:test")
            return super().stream(request)

    taken = stage.say("second")
    stage.queue.take()
    stage.worker(Erasing(["late"])).answerer.answer(taken.turn_id)  # type: ignore[arg-type]

    assert _rows_of(stage, ann) == {}
    assert stage.deliveries() == []
    assert stage.count(Message) == 0


def test_whoever_writes_again_is_a_stranger(stage: Stage) -> None:
    stage.answered("first")
    ann = _user(stage, "first")
    stage.platform.eraser.erase(ann, actor="command:test")

    stage.answered("again")

    assert _user(stage, "again") != ann


def test_erasing_twice_and_erasing_nobody_is_said_so(stage: Stage) -> None:
    stage.answered("first")
    ann = _user(stage, "first")
    done = stage.platform.eraser.erase(ann, actor="command:test")

    with pytest.raises(AlreadyErased, match=str(done.receipt_id)):
        stage.platform.eraser.erase(ann, actor="command:test")
    with pytest.raises(SubjectUnknown, match="parlour user list"):
        stage.platform.eraser.erase(new_id(), actor="command:test")


def test_the_last_owner_stays(stage: Stage) -> None:
    stage.answered("first")
    ann = _user(stage, "first")
    with stage.platform.database.begin() as session:
        session.execute(update(User).values(role="owner"))

    with pytest.raises(LastOwnerStays):
        stage.platform.eraser.erase(ann, actor="command:test")

    assert _rows_of(stage, ann)["messages"] == 2


@pytest.mark.parametrize("what", ["person", "conversation", "workspace"])
def test_a_legal_hold_stands_against_erasure_until_it_is_released(stage: Stage, what: str) -> None:
    taken = stage.answered("first")
    ann, parts = _user(stage, "first"), stage.platform
    hold_id = _hold(parts, **({"user_id": ann} if what == "person" else {"conversation_id": taken.conversation_id}))

    with pytest.raises(UnderHold):
        parts.eraser.erase(ann, actor="command:test")
    kept = _rows_of(stage, ann)
    release_hold(parts.database, parts.privacy, str(hold_id), reason="closed", actor="command:test")
    parts.eraser.erase(ann, actor="command:test")

    assert kept["messages"] == 2
    assert _rows_of(stage, ann) == {}


def test_a_hold_on_an_erased_person_is_refused(stage: Stage) -> None:
    stage.answered("first")
    ann, parts = _user(stage, "first"), stage.platform
    parts.eraser.erase(ann, actor="command:test")

    with pytest.raises(SubjectUnknown, match="nothing is left to be held"):
        _hold(parts, user_id=ann)


@pytest.mark.parametrize("what", ["person", "conversation"])
def test_a_hold_on_a_person_who_is_being_erased_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Their row is still there: it goes last, after a crash perhaps much later."""
    taken = stage.answered("first")
    ann, parts = _user(stage, "first"), stage.platform
    with monkeypatch.context() as broken:
        broken.setattr(parts.eraser, "_delete", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            parts.eraser.erase(ann, actor="command:test")

    with pytest.raises(SubjectUnknown, match="nothing is left to be held"):
        _hold(parts, **({"user_id": ann} if what == "person" else {"conversation_id": taken.conversation_id}))


def test_a_person_of_two_messengers_is_erased_as_one(stage: Stage) -> None:
    stage.answered("from here", sender="ann")
    stage.answered("from there", sender="ann2")
    here, there = _user(stage, "from here"), _user(stage, "from there")
    with stage.platform.database.begin() as session:
        session.execute(update(User).where(User.id == there).values(state="merged", merged_into=here))

    done = stage.platform.eraser.erase(there, actor="command:test")

    assert (_rows_of(stage, here), _rows_of(stage, there)) == ({}, {})
    assert json.loads(done.receipt)["subjects"] == sorted([str(here), str(there)])


# ---- what broke off, what was restored ----------------------------------------------------------------------------


def test_an_erasure_that_broke_off_is_finished(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.answered("first")
    ann, eraser = _user(stage, "first"), stage.platform.eraser
    with monkeypatch.context() as broken:
        broken.setattr(eraser, "_delete", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            eraser.erase(ann, actor="command:test")
    begun = _rows_of(stage, ann)

    at_once = eraser.resume()
    stage.clock.advance(600)
    later = eraser.resume()

    assert begun["messages"] == 2
    assert (at_once, later) == (0, 1)
    assert _rows_of(stage, ann) == {}
    with stage.platform.database.read() as session:
        assert session.get_one(Erasure, ann).receipt is not None


def test_a_key_store_restored_from_before_revives_nobody(stage: Stage) -> None:
    stage.answered("first")
    ann, keys = _user(stage, "first"), stage.platform.privacy.key_store
    with keys.read() as session:
        backup = session.get_one(DataKeyRow, ann).wrapped
    stage.platform.eraser.erase(ann, actor="command:test")
    with keys.begin() as session:
        session.execute(update(DataKeyRow).where(DataKeyRow.subject_id == ann).values(wrapped=backup))
        session.delete(session.get_one(Tombstone, ann))

    stage.platform.eraser.resume()

    with keys.read() as session:
        assert session.get_one(DataKeyRow, ann).wrapped is None
        assert session.get(Tombstone, ann) is not None


def test_content_restored_from_before_is_erased_again(stage: Stage) -> None:
    stage.answered("first")
    ann, parts = _user(stage, "first"), stage.platform
    parts.privacy.keyring.shred([ann])

    parts.eraser.resume()

    assert _rows_of(stage, ann) == {}


# ---- the receipt --------------------------------------------------------------------------------------------------


def test_a_receipt_verifies_and_every_changed_byte_is_noticed(stage: Stage) -> None:
    stage.answered("first")
    ann = _user(stage, "first")
    receipt = stage.platform.eraser.erase(ann, actor="command:test").receipt.encode()

    facts = verify_receipt(receipt, public_key=stage.platform.privacy.signer.public_key)

    assert facts["subjects"] == [str(ann)]
    assert facts["rows_deleted"]["messages"] == 2
    for place in range(len(receipt)):
        changed = bytearray(receipt)
        changed[place] ^= 1
        with pytest.raises(ReceiptBroken):
            verify_receipt(bytes(changed))


def test_a_receipt_of_another_installation_is_not_taken_for_ours(stage: Stage) -> None:
    stage.answered("first")
    receipt = stage.platform.eraser.erase(_user(stage, "first"), actor="command:test").receipt.encode()

    with pytest.raises(ReceiptBroken, match="not by the key given"):
        verify_receipt(receipt, public_key="AAAA")


def test_the_audit_log_tells_who_was_erased_by_whom_and_why(stage: Stage) -> None:
    stage.answered("first")
    ann, parts = _user(stage, "first"), stage.platform
    parts.eraser.erase(ann, actor="command:test", reason="they asked by letter")

    done, asked = tail(parts.database, parts.privacy, limit=2)

    assert (asked.actor, asked.action, asked.subject) == ("command:test", "user.erase", str(ann))
    assert asked.reason == "they asked by letter"
    assert done.action == "user.erased"
    assert verify(parts.database, parts.privacy).findings == []
