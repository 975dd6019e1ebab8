"""Erasing a person: their key is destroyed first, then everything of theirs goes, and a receipt says so."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Table, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.classes import SEALED_BY_MENTION, mention_columns, personal_tables, user_columns
from parlour.privacy.errors import PrivacyError
from parlour.privacy.holds import held, refuse_held
from parlour.privacy.logins import have_last_owner
from parlour.privacy.models import Tombstone
from parlour.privacy.persons import SubjectUnknown, person_of
from parlour.privacy.receipts import digest
from parlour.privacy.service import Privacy
from parlour.privacy.skill_notices import tell_skills
from parlour.store.changes import changed_rows
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.models import Conversation, Message, Turn, User, Workspace
from parlour.store.privacy_models import Erasure

log = structlog.get_logger(__name__)

_BATCH: Final = 1_000
# An erasure that takes longer than this has broken off.
_PATIENCE: Final = timedelta(minutes=2)
SYSTEM: Final = "system"


class LastOwnerStays(PrivacyError):
    """The last owner of a workspace cannot be erased: nobody could run it any more."""


class AlreadyErased(PrivacyError):
    """The person was erased before. Their receipt is still there."""


class Listener(Protocol):
    """Whoever holds something of people elsewhere: the live bus, skills' processes."""

    def erased(self, users: Collection[UserId], work: Sequence["Work"]) -> None:
        """Let go of everything of these. Called once their keys are gone, again after a crash; must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """A turn that was waiting or running when its person was erased."""

    turn_id: UUID
    conversation_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Erased:
    """A finished erasure."""

    receipt_id: UUID
    receipt: str


class Eraser:
    """Erases people. Every step can be taken twice, so that whatever broke off goes on (`resume`)."""

    def __init__(
        self, *, database: Database, privacy: Privacy, listeners: Sequence[Listener] = (), batch: int = _BATCH
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._listeners = listeners
        self._batch = batch

    def erase(
        self,
        user_id: UUID,
        *,
        actor: str,
        reason: str | None = None,
        step: Callable[[int], object] = lambda _: None,
    ) -> Erased:
        """Erase the person with this user id, and whom they were before they linked their messengers.

        Raises `SubjectUnknown`, `AlreadyErased`, `UnderHold`, `LastOwnerStays`: nothing is changed then.
        """
        receipt_id, users = self._begin(user_id, actor, reason)
        return self._carry_out(receipt_id, users, step)

    def resume(self) -> int:
        """Carry out what was begun and broke off, here or in a database restored from a backup; return how many.

        What began a moment ago is left to whoever is at it.
        """
        came_back = self._follow_tombstones()
        before = self._database.clock.now() - _PATIENCE
        with self._database.read() as session:
            rows = session.execute(
                select(Erasure.receipt_id, Erasure.subject_id).where(
                    Erasure.finished_at.is_(None),
                    or_(Erasure.requested_at < before, Erasure.subject_id.in_(came_back)),
                )
            ).all()
        unfinished: dict[UUID, set[UserId]] = {}
        for receipt_id, subject_id in rows:
            unfinished.setdefault(receipt_id, set()).add(UserId(subject_id))
        for receipt_id, users in unfinished.items():
            self._carry_out(receipt_id, frozenset(users), lambda _: None)
        return len(unfinished)

    def _begin(self, user_id: UUID, actor: str, reason: str | None) -> tuple[UUID, frozenset[UserId]]:
        """Write down that they are to be erased: from here on nothing stops it."""
        now, receipt_id = self._database.clock.now(), new_id()
        with self._database.begin() as session:
            person = person_of(session, user_id)
            self._refuse(session, user_id, person)
            workspace_id = session.scalars(select(User.workspace_id).where(User.id == user_id)).one()
            session.add_all(
                Erasure(
                    subject_id=one,
                    receipt_id=receipt_id,
                    workspace_id=workspace_id,
                    actor=actor,
                    requested_at=now,
                )
                for one in person
            )
            deed = Deed(actor, "user.erase", str(user_id), WorkspaceId(workspace_id), reason)
            record(session, self._privacy, deed, now=now)
        return receipt_id, frozenset(UserId(one) for one in person)

    def _refuse(self, session: Session, user_id: UUID, person: frozenset[UUID]) -> None:
        known = session.scalars(select(Erasure).where(Erasure.subject_id.in_(person or {user_id})).limit(1)).first()
        if known is not None:
            when = f"on {known.requested_at:%Y-%m-%d at %H:%M} UTC"
            problem = f"User {user_id} was erased {when}."
            raise AlreadyErased(f"{problem} The receipt: parlour receipt print {known.receipt_id}")
        if not person:
            raise SubjectUnknown(f"No user {user_id}. See all with: parlour user list")
        # One such change at a time in a workspace, as for roles and holds: two owners may erase each other, and a hold
        # that is placed meanwhile either is read below or finds this erasure.
        its = select(User.workspace_id).where(User.id.in_(person))
        session.execute(select(Workspace.id).where(Workspace.id.in_(its)).with_for_update(key_share=True))
        self._refuse_held(session, user_id, person)
        rows = session.execute(select(User.workspace_id, User.role, User.state).where(User.id.in_(person))).all()
        if have_last_owner(session, person):
            raise LastOwnerStays(f"User {user_id} is the last owner who can sign in. Add another one first.")
        if any((role, state) == ("owner", "active") for _, role, state in rows):
            others = select(func.count()).where(
                User.workspace_id == rows[0][0], User.role == "owner", User.state == "active", User.id.not_in(person)
            )
            if not session.scalars(others).one():
                raise LastOwnerStays(f"User {user_id} is the last owner. Make someone else owner first.")

    def _refuse_held(self, session: Session, user_id: UUID, person: frozenset[UUID]) -> None:
        holds = held(session)
        if not holds:
            return
        workspace_id = session.scalars(select(User.workspace_id).where(User.id == user_id)).one()
        wrote_in = select(Message.conversation_id).where(
            Message.user_id.in_(person), Message.conversation_id.in_(holds.conversations)
        )
        in_held = session.scalars(wrote_in.distinct()).all() if holds.conversations else ()
        refuse_held(session, workspace_id, person, in_held)

    def _carry_out(self, receipt_id: UUID, users: frozenset[UserId], step: Callable[[int], object]) -> Erased:
        key_ids = self._privacy.keyring.shred(users)
        work = self._fence(users)
        counts = self._delete(users, step)
        # Told last: whoever looks then finds nothing any more.
        for listener in self._listeners:
            listener.erased(users, work)
        return self._finish(receipt_id, users, key_ids, counts)

    def _fence(self, users: frozenset[UserId]) -> list[Work]:
        """Stop what is in the making: whoever holds a lease for them writes nothing any more."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            session.execute(
                update(User)
                .where(User.id.in_(users))
                .values(state="erased", pairing_hash=None, pairing_until=None, link_hash=None, link_until=None)
            )
            is_open = Turn.user_id.in_(users), Turn.state.in_(("queued", "running"))
            # Held before it is read which turns run, so that no worker begins one meanwhile; in the order of whoever
            # locks several.
            theirs = select(Conversation.id).where(Conversation.id.in_(select(Turn.conversation_id).where(*is_open)))
            session.execute(theirs.order_by(Conversation.id).with_for_update(key_share=True))
            open_turns = session.execute(
                select(Turn.id, Turn.conversation_id, Turn.account_id, Turn.state).where(*is_open)
            ).all()
            work = [Work(turn, conversation, account) for turn, conversation, account, _ in open_turns]
            running = {conversation for _, conversation, _, state in open_turns if state == "running"}
            session.execute(
                update(Conversation)
                .where(Conversation.id.in_(running))
                .values(fence=Conversation.fence + 1, lease_owner=None, lease_until=None)
            )
            session.execute(
                update(Turn)
                .where(Turn.id.in_([one.turn_id for one in work]))
                .values(state="dropped", is_stop_requested=True, finished_at=now)
            )
        return work

    def _delete(self, users: frozenset[UserId], step: Callable[[int], object]) -> dict[str, int]:
        """Delete their rows, what refers to others first, in batches; their own row last, with whatever came since."""
        counts = {}
        self._unname(users)
        for table in reversed(personal_tables()):
            if table.name != "users":
                gone = sum(self._delete_from(table, column, users, step) for column in user_columns(table))
                if gone:
                    counts[table.name] = gone
        with self._database.begin() as session:
            counts["users"] = changed_rows(
                session, delete(User).where(User.id.in_(users)).execution_options(synchronize_session=False)
            )
        return counts

    def _unname(self, users: frozenset[UserId]) -> None:
        """Take their names out of rows that are somebody else's."""
        with self._database.begin() as session:
            for table in personal_tables():
                for column in mention_columns(table):
                    sealed = [name for (of, name), by in SEALED_BY_MENTION.items() if (of, by) == (table.name, column)]
                    nothing = dict.fromkeys([column, *sealed])
                    session.execute(update(table).where(table.c[column].in_(users)).values(nothing))

    def _delete_from(self, table: Table, column: str, users: frozenset[UserId], step: Callable[[int], object]) -> int:
        (key,) = table.primary_key.columns
        gone = 0
        while True:
            with self._database.begin() as session:
                due = select(key).where(table.c[column].in_(users)).limit(self._batch)
                count = changed_rows(session, delete(table).where(key.in_(due)))
            gone += count
            step(count)
            if count < self._batch:
                return gone

    def _finish(
        self, receipt_id: UUID, users: frozenset[UserId], key_ids: list[UUID], counts: dict[str, int]
    ) -> Erased:
        now = self._database.clock.now()
        with self._database.begin() as session:
            rows = session.scalars(select(Erasure).where(Erasure.subject_id.in_(users)).with_for_update()).all()
            receipt = next((row.receipt for row in rows if row.receipt is not None), None)
            workspace_id = WorkspaceId(rows[0].workspace_id)
            deed = Deed(SYSTEM, "user.erased", str(receipt_id), workspace_id)
            number = record(session, self._privacy, deed, now=now)
            told = tell_skills(session, workspace_id, users, now=now)
            if receipt is None:
                facts = {
                    "receipt": str(receipt_id),
                    "subjects": sorted(str(row.subject_id) for row in rows),
                    "requested_at": rows[0].requested_at.isoformat(),
                    "finished_at": now.isoformat(),
                    "keys_destroyed": sorted(str(key_id) for key_id in key_ids),
                    "rows_deleted": counts,
                    "skills_to_tell": told,
                    "audit_entry": number,
                    "digest": digest([row.subject_id for row in rows]),
                }
                receipt = self._privacy.signer.sign(facts)
            for row in rows:
                row.finished_at, row.receipt = now, receipt
        log.info("user_erased", receipt_id=str(receipt_id), rows=sum(counts.values()))
        return Erased(receipt_id, receipt)

    def _follow_tombstones(self) -> set[UUID]:
        """Both databases remember who is gone; what one was restored without, it learns from the other.

        Returns whom a backup of the content brought back.
        """
        with self._privacy.key_store.read() as keys:
            stones: dict[UUID, datetime] = dict(keys.execute(select(Tombstone.subject_id, Tombstone.at)).all())
        with self._database.read() as session:
            noted = set(session.scalars(select(Erasure.subject_id)))
            revived = set(session.scalars(select(User.id))) if stones.keys() - noted else set()
            is_there = exists().where(User.id == Erasure.subject_id)
            finished = select(Erasure.subject_id).where(Erasure.finished_at.is_not(None), is_there)
            back = set(session.scalars(finished))
        missing = noted - stones.keys()
        if missing:
            self._privacy.keyring.shred({UserId(one) for one in missing})
        unknown = {one: at for one, at in stones.items() if one in revived - noted}
        self._note_again(unknown, back)
        return back | unknown.keys()

    def _note_again(self, stones: dict[UUID, datetime], back: set[UUID]) -> None:
        """Have people erased again whom a backup of the content brought back."""
        if not stones and not back:
            return
        now = self._database.clock.now()
        with self._database.begin() as session:
            session.execute(update(Erasure).where(Erasure.subject_id.in_(back)).values(finished_at=None))
            for subject_id, at in stones.items():
                workspace_id = session.scalars(select(User.workspace_id).where(User.id == subject_id)).one()
                session.add(
                    Erasure(
                        subject_id=subject_id,
                        receipt_id=new_id(),
                        workspace_id=workspace_id,
                        actor=SYSTEM,
                        requested_at=at,
                    )
                )
                deed = Deed(SYSTEM, "user.erase-again", str(subject_id), WorkspaceId(workspace_id))
                record(session, self._privacy, deed, now=now)
        log.warning("erased_people_came_back", count=len(stones) + len(back))
