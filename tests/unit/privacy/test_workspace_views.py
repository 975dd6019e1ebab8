"""Audit, holds, keys and purging as the people of one workspace have them."""

from datetime import timedelta

import pytest

from parlour.privacy.audit import Deed, record, tail
from parlour.privacy.audit_list import AuditFilter, list_audit
from parlour.privacy.holds import HoldUnknown, add_hold, list_holds, release_hold
from parlour.privacy.key_changes import Order, retire_keys, rotate_keys, wrap_anew
from parlour.privacy.keys import FileKeys
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.preview import preview
from parlour.privacy.purging import purge_now
from parlour.privacy.rotation import waiting
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Message
from tests.support.stage import Stage
from tests.support.storage import Storage


def write(
    storage: Storage, workspace_id: WorkspaceId | None, action: str, *, actor: str = "user:a", on: str = "x"
) -> None:
    with storage.database.begin() as session:
        deed = Deed(actor, action, on, workspace_id, "why" if workspace_id else None)
        record(session, storage.privacy, deed, now=storage.database.clock.now())


def seen(storage: Storage, workspace_id: WorkspaceId, **wanted: object) -> list[int]:
    filtered = AuditFilter(**wanted)  # type: ignore[arg-type]
    return [one.seq for one in list_audit(storage.database, storage.privacy, workspace_id, filtered)]


def test_a_workspace_reads_its_own_entries_and_those_of_the_installation(storage: Storage) -> None:
    ours, theirs = storage.workspace("ours"), storage.workspace("theirs")
    for workspace_id in (ours, theirs, None, ours, theirs):
        write(storage, workspace_id, "did")

    assert seen(storage, ours) == [4, 3, 1]
    assert seen(storage, theirs) == [5, 3, 2]


def test_entries_are_found_by_actor_action_subject_and_time(storage: Storage) -> None:
    ours = storage.workspace()
    write(storage, ours, "hold.add", actor="user:a", on="ann")
    write(storage, ours, "hold.release", actor="user:b", on="ann")
    write(storage, ours, "user.erase", actor="user:b", on="ben")
    first = tail(storage.database, storage.privacy)[-1].at

    assert seen(storage, ours, actors=["user:b", "user:c"]) == [3, 2]
    assert seen(storage, ours, action="hold.") == [2, 1]
    assert seen(storage, ours, action="hold.add") == [1]
    assert seen(storage, ours, action="hold_") == []
    assert seen(storage, ours, subjects=["ann"], actors=["user:a"]) == [1]
    assert seen(storage, ours, since=first + timedelta(hours=1)) == []
    assert seen(storage, ours, until=first + timedelta(hours=1)) == [3, 2, 1]


def test_pages_of_the_log_join_without_gap_or_repeat(storage: Storage) -> None:
    ours = storage.workspace()
    for number in range(7):
        write(storage, ours if number % 3 else None, "did")
    found: list[int] = []

    while page := list_audit(storage.database, storage.privacy, ours, before=found[-1] if found else None, limit=2):
        found += [one.seq for one in page]

    assert found == [7, 6, 5, 4, 3, 2, 1]


def test_holds_of_another_workspace_are_neither_seen_nor_lifted(storage: Storage) -> None:
    ours, theirs = storage.workspace("ours"), storage.workspace("theirs")
    database, privacy = storage.database, storage.privacy
    held = [add_hold(database, privacy, workspace_id=ours, reason="Case 17", actor="a") for _ in range(3)]

    assert [one.id for one in list_holds(database, privacy, workspace_id=ours, after=held[0], limit=1)] == [held[1]]
    assert list_holds(database, privacy, workspace_id=theirs) == []
    with pytest.raises(HoldUnknown):
        release_hold(database, privacy, str(held[0]), reason="over", actor="a", workspace_id=theirs)
    release_hold(database, privacy, str(held[0]), reason="over", actor="a", workspace_id=ours)
    assert len(list_holds(database, privacy, workspace_id=ours)) == 2


def test_nobody_of_another_workspace_and_nobody_erased_can_be_held(stage: Stage) -> None:
    ann = stage.turn(stage.say("hello")).user_id
    parts = stage.platform
    theirs = WorkspaceId(new_id())

    with pytest.raises(SubjectUnknown) as foreign:
        add_hold(parts.database, parts.privacy, workspace_id=theirs, user_id=ann, reason="Case 17", actor="a")
    parts.eraser.erase(ann, actor="a")
    its = parts.accounts.ensure_workspace()
    with pytest.raises(SubjectUnknown) as erased:
        add_hold(parts.database, parts.privacy, workspace_id=its, user_id=ann, reason="Case 17", actor="a")

    assert str(foreign.value) == str(erased.value)


def test_a_new_key_its_use_and_the_end_of_the_old_one_stand_in_the_log(storage: Storage) -> None:
    storage.workspace()
    database, privacy, order = storage.database, storage.privacy, Order("user:boss")
    steps: list[int] = []

    new = rotate_keys(database, privacy, order)
    behind = waiting(privacy.key_store, privacy.provider)
    done = wrap_anew(database, privacy, order, step=steps.append)
    gone = retire_keys(database, privacy, order)

    assert behind == sum(steps) > 0
    assert done >= behind
    assert waiting(privacy.key_store, privacy.provider) == 0
    entries = [(one.action, one.subject) for one in tail(database, privacy)][::-1]
    assert entries == [("keys.rotate", new), ("keys.rewrap", new), *(("keys.retire", one) for one in gone)]
    assert gone


def test_a_key_is_destroyed_only_once_that_stands_in_the_log(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    its, elsewhere = storage.workspace(), storage.workspace("elsewhere")
    database, privacy, order = storage.database, storage.privacy, Order("user:boss", "case 17", its)
    old = privacy.provider.current_kek
    rotate_keys(database, privacy, order)
    wrap_anew(database, privacy, order)
    told: list[str] = []
    monkeypatch.setattr(FileKeys, "_change", lambda *_: told.extend(one.subject for one in tail(database, privacy)))

    retire_keys(database, privacy, order)

    assert told[0] == old
    # All workspaces are told that it was done, and their own why.
    seen = [list_audit(database, privacy, one, AuditFilter(action="keys.")) for one in (its, elsewhere)]
    assert [[(one.action, one.reason) for one in found] for found in seen] == [
        [("keys.retire", "case 17"), ("keys.rewrap", "case 17"), ("keys.rotate", "case 17")],
        [("keys.retire", None), ("keys.rewrap", None), ("keys.rotate", None)],
    ]


def test_purging_now_tells_what_went_here_and_nothing_of_elsewhere(stage: Stage) -> None:
    stage.answered("hello")
    stage.pass_time(91 * 86_400)
    parts = stage.platform
    theirs = elsewhere(stage)

    assert preview(parts.database, parts.retention, now=stage.clock.now(), workspace_id=theirs) == []
    told = purge_now(
        parts.database, parts.privacy, parts.retention, parts.eraser, workspace_id=theirs, actor="user:boss"
    )

    assert told == []
    assert stage.count(Message) == 0
    assert [(one.actor, one.action) for one in tail(parts.database, parts.privacy)] == [("user:boss", "retention.run")]


def test_purging_now_tells_what_went(stage: Stage) -> None:
    stage.answered("hello")
    stage.pass_time(91 * 86_400)
    parts = stage.platform
    its = parts.accounts.ensure_workspace()

    told = purge_now(parts.database, parts.privacy, parts.retention, parts.eraser, workspace_id=its, actor="user:boss")

    assert [(one.table, one.age, one.rows) for one in told] == [("messages", "90 to 365 days", 2)]
    assert stage.count(Message) == 0


def elsewhere(stage: Stage) -> WorkspaceId:
    """Another workspace of the same installation."""
    book = stage.platform.accounts
    other = type(book)(
        database=stage.platform.database, privacy=stage.platform.privacy, clock=stage.clock, workspace="elsewhere"
    )
    return other.ensure_workspace()
