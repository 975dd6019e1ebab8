"""Who is writing, and may they."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DatabaseError

from parlour.people.admit import Access, Person, admit
from parlour.people.pairing import CODE_LIFE, code_hash
from parlour.people.states import Role, UserState
from parlour.people.users import approve, block
from parlour.privacy.status import keys_status
from parlour.store.ids import new_id
from parlour.store.models import Identity, User
from parlour.turns.ports import Sender
from tests.support.leaks import find_bytes
from tests.support.storage import Storage, open_storage

ANN = Sender("telegram-id-of-ann", "Ann Example-Name", "zh-hans")
OPEN = Access("open")
PAIRING = Access("pairing")
ALLOWLIST = Access("allowlist", frozenset({"telegram:telegram-id-of-ann"}))


def _admit(
    storage: Storage, access: Access, sender: Sender = ANN, *, channel: str = "telegram", workspace: str = "default"
) -> Person | None:
    workspace_id = storage.workspace(workspace)
    with storage.database.begin() as session:
        return admit(
            session,
            storage.privacy,
            access,
            workspace_id=workspace_id,
            channel=channel,
            sender=sender,
            now=storage.clock.now(),
        )


def _admitted(storage: Storage, access: Access, sender: Sender = ANN, **where: str) -> Person:
    person = _admit(storage, access, sender, **where)
    assert person is not None
    return person


def _counts(storage: Storage) -> tuple[int, int, int]:
    """Users, identities, and data keys besides the workspace's."""
    with storage.database.read() as session:
        users, identities = (
            session.scalars(select(func.count()).select_from(table)).one() for table in (User, Identity)
        )
    return users, identities, keys_status(storage.privacy).data_keys - 1


def test_a_new_person_is_made_with_a_key_and_found_again(storage: Storage) -> None:
    first = _admitted(storage, OPEN)
    again = _admitted(storage, OPEN)

    assert first.is_new
    assert not again.is_new
    assert (first.state, first.role, first.language) == (UserState.ACTIVE, Role.MEMBER, None)
    assert again.user_id == first.user_id
    assert _counts(storage) == (1, 1, 1)


def test_name_and_id_are_sealed_under_the_persons_key_and_nowhere_in_plaintext(storage: Storage) -> None:
    person = _admitted(storage, OPEN)

    with storage.database.read() as session:
        identity = session.scalars(select(Identity)).one()
    open_text, its = storage.privacy.sealer.open_text, (person.user_id, identity.id)
    assert open_text(its[0], Identity.external_id, its[1], identity.external_id) == ANN.external_id
    assert open_text(its[0], Identity.name, its[1], identity.name or b"") == ANN.name
    assert not find_bytes([ANN.external_id, ANN.name], storage.database.url, storage.keys_url, storage.key_file.parent)


def test_the_same_id_in_another_messenger_is_another_person(storage: Storage) -> None:
    assert _admitted(storage, OPEN).user_id != _admitted(storage, OPEN, channel="slack").user_id


def test_the_same_person_in_another_workspace_is_another_user_with_another_hash(storage: Storage) -> None:
    here, there = _admitted(storage, OPEN), _admitted(storage, OPEN, workspace="other")

    with storage.database.read() as session:
        hashes = set(session.scalars(select(Identity.lookup_hash)))
    assert here.user_id != there.user_id
    assert len(hashes) == 2


@pytest.mark.parametrize(
    "sender",
    [Sender("1", "", None), Sender("1", "\ud800 lone", ""), Sender("1", "名" * 5000, "x" * 99), Sender("", "a", "en")],
    ids=["no name", "a lone surrogate", "very long", "no id"],
)
def test_whatever_a_messenger_says_of_a_person_is_taken(storage: Storage, sender: Sender) -> None:
    assert _admitted(storage, OPEN, sender).state == UserState.ACTIVE


def test_no_person_is_made_while_their_key_cannot_be(storage: Storage) -> None:
    storage.workspace()
    with storage.privacy.key_store.begin() as session:
        session.execute(text("DROP TABLE tombstones"))

    with pytest.raises(DatabaseError):
        _admit(storage, OPEN)

    with storage.database.read() as session:
        assert session.scalars(select(User.id)).all() == []


# ---- policies ---------------------------------------------------------------------------------------------------


def test_a_stranger_under_pairing_waits_with_a_code_and_is_told_it_again(storage: Storage) -> None:
    first = _admitted(storage, PAIRING)
    storage.clock.advance(3600)
    again = _admitted(storage, PAIRING)

    assert first.state == again.state == UserState.PENDING
    assert first.pairing_code is not None
    assert len(first.pairing_code) == 9
    assert again.pairing_code == first.pairing_code


def test_only_a_keyed_hash_of_the_code_is_stored(storage: Storage) -> None:
    code = _admitted(storage, PAIRING).pairing_code or ""

    with storage.database.read() as session:
        user = session.scalars(select(User)).one()
    assert user.pairing_hash == code_hash(storage.privacy.lookup, code)
    assert not find_bytes([code, code.replace("-", "")], storage.database.url)


def test_an_expired_code_is_replaced_when_they_write_again(storage: Storage) -> None:
    first = _admitted(storage, PAIRING)
    storage.clock.advance(CODE_LIFE.total_seconds())

    again = _admitted(storage, PAIRING)

    assert again.state == UserState.PENDING
    assert again.pairing_code != first.pairing_code


def test_an_approved_person_is_active_and_has_no_code(storage: Storage) -> None:
    waiting = _admitted(storage, PAIRING)
    approve(storage.database, storage.privacy, waiting.pairing_code or "", now=storage.clock.now())

    person = _admitted(storage, PAIRING)

    assert (person.state, person.pairing_code, person.user_id) == (UserState.ACTIVE, None, waiting.user_id)


def test_who_is_on_the_list_needs_no_code(storage: Storage) -> None:
    access = Access("pairing", ALLOWLIST.allowlist)

    assert _admitted(storage, access).state == UserState.ACTIVE
    assert _admitted(storage, access, Sender("stranger", "S")).state == UserState.PENDING
    assert _admitted(storage, access, ANN, channel="slack").state == UserState.PENDING


def test_under_an_allowlist_nothing_is_kept_of_a_stranger(storage: Storage) -> None:
    assert _admit(storage, ALLOWLIST, Sender("stranger", "S")) is None

    assert _counts(storage) == (0, 0, 0)


def test_who_left_the_list_is_no_longer_let_in(storage: Storage) -> None:
    _admitted(storage, ALLOWLIST)

    assert _admit(storage, Access("allowlist")) is None
    assert _admitted(storage, ALLOWLIST).state == UserState.ACTIVE


@pytest.mark.parametrize("access", [OPEN, Access("pairing", ALLOWLIST.allowlist), ALLOWLIST])
def test_who_waited_is_let_in_when_the_policy_changes(storage: Storage, access: Access) -> None:
    _admitted(storage, PAIRING)

    person = _admitted(storage, access)

    assert (person.state, person.pairing_code) == (UserState.ACTIVE, None)


@pytest.mark.parametrize("channel", ["web", "terminal"])
@pytest.mark.parametrize("access", [PAIRING, Access("allowlist")])
def test_local_channels_need_no_approval(storage: Storage, channel: str, access: Access) -> None:
    assert _admitted(storage, access, channel=channel).state == UserState.ACTIVE


@pytest.mark.parametrize("access", [OPEN, PAIRING, ALLOWLIST])
def test_who_is_blocked_stays_blocked(storage: Storage, access: Access) -> None:
    person = _admitted(storage, OPEN)
    block(storage.database, person.user_id)

    found = _admitted(storage, access)

    assert (found.state, found.pairing_code) == (UserState.BLOCKED, None)


# ---- at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", [OPEN, PAIRING])
def test_several_processes_that_meet_a_person_at_once_make_one_user(storage: Storage, access: Access) -> None:
    storage.workspace()
    start = Barrier(6)

    def meet(_: int) -> Person:
        start.wait(timeout=60)
        return _admitted(storage, access)

    with ThreadPoolExecutor(6) as threads:
        people = list(threads.map(meet, range(6)))

    assert len({(person.user_id, person.pairing_code) for person in people}) == 1
    assert sum(person.is_new for person in people) == 1
    assert _counts(storage) == (1, 1, 1)


def test_the_callers_transaction_goes_on_after_a_race_was_lost(postgres_url: str, tmp_path: Path) -> None:
    """What the caller wrote before survives that another process was first. On SQLite nobody can be: one writer."""
    keys_url = f"sqlite:///{tmp_path / 'keys.sqlite'}"
    with open_storage(postgres_url, keys_url, tmp_path / "master.key") as storage:
        workspace_id, now = storage.workspace(), storage.clock.now()
        with storage.database.begin() as session:
            session.add(User(id=new_id(), workspace_id=workspace_id, created_at=now))
            session.flush()
            # The other process comes in between looking and inserting: when the savepoint begins.
            event.listen(session, "after_transaction_create", lambda *_: _admitted(storage, OPEN), once=True)
            person = admit(
                session,
                storage.privacy,
                OPEN,
                workspace_id=workspace_id,
                channel="telegram",
                sender=ANN,
                now=now,
            )

        assert person is not None
        assert not person.is_new
        assert _counts(storage) == (2, 1, 1)
