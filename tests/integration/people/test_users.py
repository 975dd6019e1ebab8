"""What people who run Parlour do with people."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from parlour.people import users
from parlour.people.admit import Access, Person, admit
from parlour.people.errors import CodeUnknown, LastOwner, NotBlocked, RoleUnknown, UserUnknown
from parlour.people.pairing import CODE_LIFE
from parlour.people.states import Role, UserState
from parlour.store.database import Database
from parlour.store.ids import UserId, new_id
from parlour.store.models import User
from parlour.turns.ports import Sender
from tests.services import wait_until
from tests.support.storage import Storage, open_storage


def _write(storage: Storage, external_id: str, *, access: str = "open", channel: str = "telegram") -> Person:
    workspace_id = storage.workspace()
    with storage.database.begin() as session:
        person = admit(
            session,
            storage.privacy,
            Access("pairing" if access == "pairing" else "open"),
            workspace_id=workspace_id,
            channel=channel,
            sender=Sender(external_id, f"Name of {external_id}", "en"),
            now=storage.clock.now(),
        )
    assert person is not None
    return person


def _show(storage: Storage, who: object) -> users.UserView:
    return users.show_user(storage.database, storage.privacy, str(who))


# ---- seeing -----------------------------------------------------------------------------------------------------


def test_people_are_listed_in_order_of_arrival_with_where_they_write_from(storage: Storage) -> None:
    ann = _write(storage, "ann")
    bob = _write(storage, "bob", channel="slack", access="pairing")

    found = users.list_users(storage.database, storage.privacy)

    assert [view.user_id for view in found] == [ann.user_id, bob.user_id]
    assert found[1].identities == (users.IdentityView("slack", "bob", "Name of bob"),)
    assert (found[1].state, found[1].role) == (UserState.PENDING, Role.MEMBER)


def test_a_list_can_be_narrowed_and_paged(storage: Storage) -> None:
    ids = [_write(storage, str(number)).user_id for number in range(4)]
    users.block(storage.database, ids[2])

    blocked = users.list_users(storage.database, storage.privacy, state=UserState.BLOCKED)
    page = users.list_users(storage.database, storage.privacy, after=ids[0], limit=2)

    assert [view.user_id for view in blocked] == [ids[2]]
    assert [view.user_id for view in page] == ids[1:3]


def test_a_person_is_found_by_id_and_by_messenger(storage: Storage) -> None:
    ann = _write(storage, "ann:with:colons")

    assert _show(storage, ann.user_id) == _show(storage, "telegram:ann:with:colons")


@pytest.mark.parametrize("who", ["", "nobody", "telegram:nobody", ":", "0190163d-8694-739b-aea5-966c26f8ad91"])
def test_an_unknown_person_is_said_so(storage: Storage, who: str) -> None:
    with pytest.raises(UserUnknown, match="parlour user list"):
        _show(storage, who)


def test_a_person_whose_key_is_shredded_is_shown_without_name(storage: Storage) -> None:
    ann = _write(storage, "ann")
    storage.shred(ann.user_id)
    storage.privacy.keyring.forget(ann.user_id)

    assert _show(storage, ann.user_id).identities == (users.IdentityView("telegram", None, None),)


# ---- roles ------------------------------------------------------------------------------------------------------


def test_a_role_is_given(storage: Storage) -> None:
    ann = _write(storage, "ann")

    users.set_role(storage.database, ann.user_id, "admin")

    assert _show(storage, ann.user_id).role == Role.ADMIN
    assert _write(storage, "ann").role == Role.ADMIN


def test_an_unknown_role_is_refused_with_those_there_are(storage: Storage) -> None:
    ann = _write(storage, "ann")

    with pytest.raises(RoleUnknown, match=r"'king'.*guest, member, auditor, admin, owner"):
        users.set_role(storage.database, ann.user_id, "king")


def test_the_last_owner_keeps_the_role_and_is_not_blocked(storage: Storage) -> None:
    ann = _write(storage, "ann")
    users.set_role(storage.database, ann.user_id, "owner")

    with pytest.raises(LastOwner, match="Make someone else owner first"):
        users.set_role(storage.database, ann.user_id, "member")
    with pytest.raises(LastOwner):
        users.block(storage.database, ann.user_id)

    users.set_role(storage.database, ann.user_id, "owner")
    assert (_show(storage, ann.user_id).role, _show(storage, ann.user_id).state) == (Role.OWNER, UserState.ACTIVE)


def test_an_owner_beside_another_may_go_but_a_blocked_one_does_not_count(storage: Storage) -> None:
    ann, bob = _write(storage, "ann"), _write(storage, "bob")
    for person in (ann, bob):
        users.set_role(storage.database, person.user_id, "owner")

    users.block(storage.database, bob.user_id)

    with pytest.raises(LastOwner):
        users.set_role(storage.database, ann.user_id, "member")
    users.unblock(storage.database, bob.user_id)
    users.set_role(storage.database, ann.user_id, "member")


def _demote(storage: Storage, person: Person) -> bool:
    try:
        users.set_role(storage.database, person.user_id, "member")
    except LastOwner:
        return False
    return True


def test_two_owners_who_demote_each_other_at_once_leave_one(postgres_url: str, tmp_path: Path) -> None:
    """Both have looked before either has written; on SQLite, with its one writer, that cannot be."""
    keys_url = f"sqlite:///{tmp_path / 'keys.sqlite'}"
    with open_storage(postgres_url, keys_url, tmp_path / "master.key") as storage, ThreadPoolExecutor(2) as threads:
        people = [_write(storage, name) for name in ("ann", "bob")]
        for person in people:
            users.set_role(storage.database, person.user_id, "owner")

        with storage.database.begin() as session:
            session.execute(select(User.id).with_for_update())
            demoted = [threads.submit(_demote, storage, person) for person in people]
            wait_until(lambda: _waiting(storage) == 2, what="both demotions waiting")

        assert sorted(one.result(timeout=60) for one in demoted) == [False, True]


def _waiting(storage: Storage) -> int:
    """How many connections to this database wait for a lock."""
    wanted = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    # In a transaction of its own each time: what it shows stays the same inside one.
    with storage.database.read() as session:
        return int(session.execute(wanted).scalar_one())


# ---- blocking and approving -------------------------------------------------------------------------------------


def test_a_blocked_person_can_be_unblocked_once(storage: Storage) -> None:
    ann = _write(storage, "ann")

    users.block(storage.database, ann.user_id)
    blocked = _show(storage, ann.user_id).state
    users.unblock(storage.database, ann.user_id)

    assert blocked == UserState.BLOCKED
    assert _show(storage, ann.user_id).state == UserState.ACTIVE
    with pytest.raises(NotBlocked, match="not blocked but active"):
        users.unblock(storage.database, ann.user_id)


@pytest.mark.parametrize("times", [1, 2])
def test_a_stranger_who_is_unblocked_still_waits_to_be_let_in(storage: Storage, times: int) -> None:
    eve = _write(storage, "eve", access="pairing")
    for _ in range(times):
        users.block(storage.database, eve.user_id)
    assert _write(storage, "eve", access="pairing").state == UserState.BLOCKED

    now = users.unblock(storage.database, eve.user_id)

    again = _write(storage, "eve", access="pairing")
    assert now == again.state == UserState.PENDING
    users.approve(storage.database, storage.privacy, again.pairing_code or "", now=storage.clock.now())
    users.block(storage.database, eve.user_id)
    assert users.unblock(storage.database, eve.user_id) == UserState.ACTIVE


def test_a_code_admits_its_person_alone_and_once(storage: Storage) -> None:
    ann, bob = _write(storage, "ann", access="pairing"), _write(storage, "bob", access="pairing")
    typed = (ann.pairing_code or "").lower().replace("-", " ")

    admitted = users.approve(storage.database, storage.privacy, typed, now=storage.clock.now())

    assert admitted == ann.user_id
    assert _show(storage, ann.user_id).state == UserState.ACTIVE
    assert _show(storage, bob.user_id).state == UserState.PENDING
    with pytest.raises(CodeUnknown):
        users.approve(storage.database, storage.privacy, typed, now=storage.clock.now())


def test_an_expired_code_admits_nobody(storage: Storage) -> None:
    ann = _write(storage, "ann", access="pairing")
    storage.clock.advance(CODE_LIFE.total_seconds())

    with pytest.raises(CodeUnknown, match="expired"):
        users.approve(storage.database, storage.privacy, ann.pairing_code or "", now=storage.clock.now())


def test_a_blocked_strangers_code_admits_nobody(storage: Storage) -> None:
    ann = _write(storage, "ann", access="pairing")
    users.block(storage.database, ann.user_id)

    with pytest.raises(CodeUnknown):
        users.approve(storage.database, storage.privacy, ann.pairing_code or "", now=storage.clock.now())


@pytest.mark.parametrize("code", ["", "----", "AAAA-AAAA", "\ud800", "x" * 10_000])
def test_a_wrong_code_is_refused_and_not_repeated(storage: Storage, code: str) -> None:
    _write(storage, "ann", access="pairing")

    with pytest.raises(CodeUnknown) as caught:
        users.approve(storage.database, storage.privacy, code, now=storage.clock.now())

    assert not code or code not in str(caught.value)


@pytest.mark.parametrize("change", [users.block, users.unblock, lambda db, who: users.set_role(db, who, "admin")])
def test_nothing_is_changed_for_someone_unknown(storage: Storage, change: Callable[[Database, UserId], None]) -> None:
    with pytest.raises(UserUnknown):
        change(storage.database, UserId(new_id()))
