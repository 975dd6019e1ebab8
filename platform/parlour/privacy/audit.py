"""The audit log: who did what, with whom, when and why; a chain in which no entry can be changed unnoticed."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.lookup import Lookup
from parlour.privacy.models import AuditAnchor
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.privacy_models import AuditEntry, AuditHead

log = structlog.get_logger(__name__)

LONGEST_REASON: Final = 1_000
_CHAIN: Final = "chain"
_START: Final = bytes(32)
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Deed:
    """What is written down. `reason` may name people: it is sealed under the workspace's key, and needs one."""

    actor: str
    action: str
    subject: str
    workspace_id: WorkspaceId | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AuditView:
    """An entry, its reason opened."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an entry, or with those from `seq` to `upto`.

    `altered`, `missing`, or `unexpected`: before the chain's first one or behind its end.
    """

    seq: int
    problem: str
    upto: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look through the whole chain found."""

    entries: int
    findings: Sequence[Finding]


def record(session: Session, privacy: Privacy, deed: Deed, *, now: datetime) -> int:
    """Write the deed down in the caller's transaction, and return its number in the chain.

    From here to its commit this transaction holds the end of the chain: write the audit entry last.
    """
    seq, before = _move_head(session)
    entry = AuditEntry(
        seq=seq,
        id=new_id(),
        at=now,
        actor=deed.actor,
        action=deed.action,
        subject=deed.subject,
        workspace_id=deed.workspace_id,
        reason=None,
    )
    reason = (deed.reason or "").strip()
    if reason and deed.workspace_id is not None:
        entry.reason = privacy.sealer.seal(deed.workspace_id, AuditEntry.reason, entry.id, reason)
    entry.hash = _hash(privacy.lookup, before, entry)
    session.add(entry)
    session.execute(update(AuditHead).where(AuditHead.name == _CHAIN).values(hash=entry.hash))
    session.flush()
    return seq


def tail(
    database: Database, privacy: Privacy, *, limit: int = 50, before: int | None = None, subject: str | None = None
) -> list[AuditView]:
    """The newest entries, newest first, below the number `before`; all or those about `subject`."""
    wanted = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(AuditEntry.seq < before)
    if subject is not None:
        wanted = wanted.where(AuditEntry.subject == subject)
    with database.read() as session:
        rows = session.scalars(wanted).all()
    return views(privacy, rows)


def views(privacy: Privacy, rows: Sequence[AuditEntry]) -> list[AuditView]:
    """The entries, their reasons opened."""
    return [AuditView(row.seq, row.at, row.actor, row.action, row.subject, _opened(privacy, row)) for row in rows]


def verify(database: Database, privacy: Privacy) -> Verdict:
    """Look through the whole chain: every entry there, in its place and as it was written.

    What is found: an entry that was altered or moved (its hash is not that of its content behind the one before),
    numbers that are missing, and an end that is not where the head, or the anchor in the key store, says. Those beside
    each other that are missing or too many are one finding: a single row with a high number makes a wide gap.
    """
    # In this order: a chain that grows meanwhile has come as far as was noted before, and has what its head counts.
    with privacy.key_store.read() as keys:
        noted = keys.get(AuditAnchor, _CHAIN)
    findings, before, expected = [], _START, 1
    with database.read() as session:
        head = session.get(AuditHead, _CHAIN)
        end, end_hash = (head.seq, head.hash) if head else (0, _START)
        for entry in _entries(session, end):
            if entry.seq > expected:
                findings.append(Finding(expected, "missing", entry.seq - 1))
            is_right = hmac.compare_digest(entry.hash, _hash(privacy.lookup, before, entry))
            # Behind a gap the hash before is not known: only what stands there itself can be looked at.
            if not is_right and entry.seq == expected:
                findings.append(Finding(entry.seq, "altered", entry.seq))
            before, expected = entry.hash, entry.seq + 1
        if expected <= end:
            findings.append(Finding(expected, "missing", end))
        elif before != end_hash:
            findings.append(Finding(end, "altered", end))
        findings += _outside(session)
        findings += _behind_anchor(session, noted, end)
    return Verdict(expected - 1, sorted(set(findings), key=lambda one: one.seq))


def anchor(database: Database, privacy: Privacy) -> None:
    """Note in the key store how far the chain has come.

    Where what was noted before does not stand in the chain any more, the note stays: it is what proves that.
    """
    with privacy.key_store.begin() as keys:
        noted = keys.get(AuditAnchor, _CHAIN, with_for_update=True)
        with database.read() as session:
            head = session.get(AuditHead, _CHAIN)
            is_cut = noted is not None and not _stands(session, noted)
        if noted is not None and is_cut:
            log.error("audit_chain_cut", entry=noted.seq, remedy="parlour audit verify")
        elif head is not None and (noted is None or head.seq > noted.seq):
            _note(keys, noted, head, privacy)


def cut_at(database: Database, privacy: Privacy) -> int | None:
    """The number of the entry that the key store notes and that does not stand in the chain any more; None: all well.

    One row of each database is read, where `verify` looks through all.
    """
    with privacy.key_store.read() as keys:
        noted = keys.get(AuditAnchor, _CHAIN)
    with database.read() as session:
        return None if noted is None or _stands(session, noted) else noted.seq


def accept(database: Database, privacy: Privacy, deed: Deed) -> None:
    """Write `deed` down, and go by the chain as it then stands instead of what the key store noted.

    For a restore of older content, whose later entries are gone for good: that somebody took it so is itself an entry.
    """
    with database.begin() as session:
        record(session, privacy, deed, now=database.clock.now())
    with privacy.key_store.begin() as keys, database.read() as session:
        noted = keys.get(AuditAnchor, _CHAIN, with_for_update=True)
        _note(keys, noted, session.get_one(AuditHead, _CHAIN), privacy)


def _note(keys: Session, noted: AuditAnchor | None, head: AuditHead, privacy: Privacy) -> None:
    noted = noted or AuditAnchor(name=_CHAIN)
    noted.seq, noted.hash, noted.at = head.seq, head.hash, privacy.key_store.clock.now()
    keys.add(noted)


def _stands(session: Session, noted: AuditAnchor) -> bool:
    found = session.get(AuditEntry, noted.seq)
    return found is not None and found.hash == noted.hash


def _move_head(session: Session) -> tuple[int, bytes]:
    """The new entry's number and the hash before it; the row is locked until the caller commits."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    moved = (
        dialect.insert(AuditHead)
        .values(name=_CHAIN, seq=1, hash=_START)
        .on_conflict_do_update(index_elements=["name"], set_={"seq": AuditHead.seq + 1})
        .returning(AuditHead.seq, AuditHead.hash)
    )
    seq, before = session.execute(moved).one()
    return seq, before


def _hash(lookup: Lookup, before: bytes, entry: AuditEntry) -> bytes:
    """Keyed, so that who can write to the database alone cannot make a chain of their own."""
    return lookup.hash(
        "audit",
        before.hex(),
        str(entry.seq),
        str(entry.id),
        entry.at.isoformat(),
        entry.actor,
        entry.action,
        entry.subject,
        str(entry.workspace_id),
        hashlib.sha256(entry.reason).hexdigest() if entry.reason is not None else "",
    )


def _entries(session: Session, end: int) -> Iterator[AuditEntry]:
    after = 0
    while True:
        its = AuditEntry.seq > after, AuditEntry.seq <= end
        batch = session.scalars(select(AuditEntry).where(*its).order_by(AuditEntry.seq).limit(_BATCH)).all()
        yield from batch
        if len(batch) < _BATCH:
            return
        after = batch[-1].seq
        session.expunge_all()


def _outside(session: Session) -> list[Finding]:
    """What stands before the first entry and behind the last: no head ever counted so."""
    # Looked up in the same statement: the chain may have grown since.
    end = func.coalesce(select(AuditHead.seq).where(AuditHead.name == _CHAIN).scalar_subquery(), 0)
    findings = []
    for is_outside in (AuditEntry.seq < 1, AuditEntry.seq > end):
        first, last = session.execute(
            select(func.min(AuditEntry.seq), func.max(AuditEntry.seq)).where(is_outside)
        ).one()
        if first is not None:
            findings.append(Finding(first, "unexpected", last))
    return findings


def _behind_anchor(session: Session, noted: AuditAnchor | None, end: int) -> list[Finding]:
    if noted is None:
        return []
    if noted.seq > end:
        return [Finding(end + 1, "missing", noted.seq)]
    # One that is missing in the midst is found as such.
    is_there = session.get(AuditEntry, noted.seq) is not None
    return [Finding(noted.seq, "altered", noted.seq)] if is_there and not _stands(session, noted) else []


def _opened(privacy: Privacy, row: AuditEntry) -> str | None:
    if row.reason is None or row.workspace_id is None:
        return None
    try:
        return privacy.sealer.open_text(WorkspaceId(row.workspace_id), AuditEntry.reason, row.id, row.reason)
    except (KeyShredded, KeysMissing):
        return None
