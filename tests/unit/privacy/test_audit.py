"""The audit chain: what is altered, missing or moved is found and named."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from parlour.privacy.audit import Deed, Finding, accept, anchor, cut_at, record, tail, verify
from parlour.store.ids import new_id
from parlour.store.privacy_models import AuditEntry, AuditHead
from tests.support.storage import Storage


def _write(storage: Storage, count: int) -> None:
    workspace_id = storage.workspace()
    for number in range(count):
        with storage.database.begin() as session:
            deed = Deed("command:test", "did", f"thing-{number}", workspace_id, f"because {number}")
            record(session, storage.privacy, deed, now=storage.database.clock.now())


def test_entries_are_numbered_and_their_reasons_open(storage: Storage) -> None:
    _write(storage, 3)

    assert [(one.seq, one.reason) for one in tail(storage.database, storage.privacy)] == [
        (3, "because 2"),
        (2, "because 1"),
        (1, "because 0"),
    ]
    assert verify(storage.database, storage.privacy).findings == []


def _swap(session: Session) -> None:
    two, three = session.get_one(AuditEntry, 2), session.get_one(AuditEntry, 3)
    two.action, two.subject, two.hash, three.action, three.subject, three.hash = (
        three.action, three.subject, three.hash, two.action, two.subject, two.hash,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda s: s.execute(update(AuditEntry).where(AuditEntry.seq == 2).values(actor="nobody")), {(2, "altered")}),
        (lambda s: s.execute(update(AuditEntry).where(AuditEntry.seq == 2).values(reason=b"x")), {(2, "altered")}),
        (lambda s: s.execute(delete(AuditEntry).where(AuditEntry.seq == 2)), {(2, "missing")}),
        (lambda s: s.execute(delete(AuditEntry).where(AuditEntry.seq == 4)), {(4, "missing")}),
        (_swap, {(2, "altered"), (3, "altered")}),
    ],
)
def test_what_was_done_to_the_chain_is_found_and_named(
    storage: Storage, spoil: Callable[[Session], object], found: set[tuple[int, str]]
) -> None:
    _write(storage, 4)
    with storage.database.begin() as session:
        spoil(session)

    findings = verify(storage.database, storage.privacy).findings

    assert {(one.seq, one.problem) for one in findings} >= found
    assert {one.seq for one in findings} <= {one for one, _ in found} | {4}


def test_a_chain_cut_short_together_with_its_head_is_behind_its_anchor(storage: Storage) -> None:
    _write(storage, 4)
    anchor(storage.database, storage.privacy)
    with storage.database.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > 2))
        session.execute(update(AuditHead).values(seq=2, hash=session.get_one(AuditEntry, 2).hash))

    findings = verify(storage.database, storage.privacy).findings

    assert findings == [Finding(3, "missing", 4)]


def _forge(session: Session, seq: int) -> None:
    """An entry that somebody wrote by hand, as like the others as they can make it."""
    real = session.get_one(AuditEntry, 2)
    session.add(
        AuditEntry(
            seq=seq, id=new_id(), at=real.at, actor="login:boss", action=real.action, subject=real.subject,
            workspace_id=real.workspace_id, hash=real.hash,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([0], [Finding(0, "unexpected", 0)]),
        ([-7, -1], [Finding(-7, "unexpected", -1)]),
        ([2**62], [Finding(2**62, "unexpected", 2**62)]),
        ([-1, 5, 6], [Finding(-1, "unexpected", -1), Finding(5, "unexpected", 6)]),
    ],
)
def test_an_entry_before_the_first_or_behind_the_last_is_unexpected(
    storage: Storage, numbers: list[int], found: list[Finding]
) -> None:
    _write(storage, 4)
    with storage.database.begin() as session:
        for number in numbers:
            _forge(session, number)

    assert verify(storage.database, storage.privacy).findings == found


def test_a_wide_gap_is_one_finding(storage: Storage) -> None:
    """A single row with a high number, and a head to match: as many findings as numbers would not fit anywhere."""
    _write(storage, 4)
    with storage.database.begin() as session:
        _forge(session, 2**62)
        session.execute(update(AuditHead).values(seq=2**62))

    findings = verify(storage.database, storage.privacy).findings

    assert findings == [Finding(5, "missing", 2**62 - 1), Finding(2**62, "altered", 2**62)]


def test_a_chain_that_was_cut_and_has_grown_past_its_anchor_is_still_found(storage: Storage) -> None:
    _write(storage, 4)
    anchor(storage.database, storage.privacy)
    whole = cut_at(storage.database, storage.privacy)
    with storage.database.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > 2))
        session.execute(update(AuditHead).values(seq=2, hash=session.get_one(AuditEntry, 2).hash))
    anchor(storage.database, storage.privacy)
    _write(storage, 4)

    with capture_logs() as told:
        anchor(storage.database, storage.privacy)

    assert (whole, cut_at(storage.database, storage.privacy)) == (None, 4)
    assert [(one.seq, one.problem) for one in verify(storage.database, storage.privacy).findings] == [(4, "altered")]
    assert [(one["event"], one["entry"]) for one in told] == [("audit_chain_cut", 4)]


def test_what_a_restore_took_may_be_accepted_and_that_stands_in_the_log(storage: Storage) -> None:
    _write(storage, 4)
    anchor(storage.database, storage.privacy)
    with storage.database.begin() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq > 2))
        session.execute(update(AuditHead).values(seq=2, hash=session.get_one(AuditEntry, 2).hash))

    accept(storage.database, storage.privacy, Deed("command:root", "audit.accept", "entry 4"))

    assert cut_at(storage.database, storage.privacy) is None
    assert verify(storage.database, storage.privacy).findings == []
    assert [(one.seq, one.action) for one in tail(storage.database, storage.privacy, limit=1)] == [(3, "audit.accept")]


def test_a_chain_that_was_emptied_is_not_taken_for_a_new_one(storage: Storage) -> None:
    _write(storage, 1)
    anchor(storage.database, storage.privacy)
    with storage.database.begin() as session:
        session.execute(delete(AuditEntry))
        session.execute(delete(AuditHead))
    _write(storage, 2)

    anchor(storage.database, storage.privacy)

    assert [(one.seq, one.problem) for one in verify(storage.database, storage.privacy).findings] == [(1, "altered")]


def test_many_writers_make_one_chain(storage: Storage) -> None:
    storage.workspace()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: _write(storage, 5), range(4)))

    verdict = verify(storage.database, storage.privacy)
    assert (verdict.entries, verdict.findings) == (20, [])
