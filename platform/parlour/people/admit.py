"""Who is writing, and may they: find or make the person behind a messenger's id."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.people.names import display_name
from parlour.people.pairing import CODE_LIFE, code_hash, pairing_code
from parlour.people.states import Role, UserState
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.models import Identity, User
from parlour.store.prepared import Asked, Query

# Whoever reaches these was let in by the machine or its web server already.
LOCAL_CHANNELS = frozenset({"web", "terminal"})

_IS_FOUND = (
    Identity.workspace_id == bindparam("workspace"),
    Identity.channel == bindparam("channel"),
    Identity.lookup_hash == bindparam("found_by"),
)
_FIND = select(User).join(Identity, Identity.user_id == User.id).where(*_IS_FOUND)


class Known(NamedTuple):
    """Somebody who wrote before."""

    id: UUID
    state: str
    role: str
    language: str | None
    consent: str | None


_KNOWN = Query(
    select(User.id, User.state, User.role, User.language, User.consent)
    .join(Identity, Identity.user_id == User.id)
    .where(*_IS_FOUND),
    Known,
)


class Sender(Protocol):
    """Who wrote, in the messenger's own terms."""

    @property
    def external_id(self) -> str:
        """The messenger's id of the person."""
        ...

    @property
    def name(self) -> str:
        """How the messenger shows them."""
        ...

    @property
    def language(self) -> str | None:
        """The messenger's hint, an IETF tag."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """Who may talk to the assistant. `allowlist` holds entries such as `telegram:12345`."""

    policy: Literal["pairing", "open", "allowlist"]
    allowlist: AbstractSet[str] = frozenset()

    def lets_in(self, channel: str, external_id: str) -> bool:
        """Whether this person needs no one's approval."""
        return self.policy == "open" or channel in LOCAL_CHANNELS or f"{channel}:{external_id}" in self.allowlist


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a sender. `pairing_code` is what to tell someone whose state is `pending`.

    `language` is the one they chose; the messenger's hint is no choice and comes with every message anyway.
    """

    user_id: UserId
    workspace_id: WorkspaceId
    state: UserState
    role: Role
    language: str | None
    is_new: bool
    pairing_code: str | None = None
    consent: str | None = None


def ask_who(
    session: Session, privacy: Privacy, workspace_id: WorkspaceId, channel: str, external_id: str
) -> Asked[Known]:
    """Who has that id in the messenger, asked ahead for `admit`, along with what else the caller asks."""
    found_by = identity_hash(privacy, workspace_id, channel, external_id)
    return _KNOWN.ask(session, workspace=workspace_id, channel=channel, found_by=found_by)


def admit(
    session: Session,
    privacy: Privacy,
    access: Access,
    *,
    workspace_id: WorkspaceId,
    channel: str,
    sender: Sender,
    now: datetime,
    who: Asked[Known] | None = None,
) -> Person | None:
    """The person who wrote, made on first sight, as part of the caller's write transaction.

    `who` is what `ask_who` was asked of the sender in it, where the caller has more to ask along with it.
    A new person's data key is committed in the key store first: no row of theirs is ever there without it. Under
    `pairing` a stranger is `pending` and has a code. None under `allowlist` for whoever is not on the list: nothing is
    kept of them.
    """
    lets_in = access.lets_in(channel, sender.external_id)
    if access.policy == "allowlist" and not lets_in:
        return None
    known = (who or ask_who(session, privacy, workspace_id, channel, sender.external_id)).first()
    if known is not None and known.state != UserState.PENDING:
        # As nearly always.
        return _person(known, workspace_id)
    lookup_hash = identity_hash(privacy, workspace_id, channel, sender.external_id)
    user = _find(session, workspace_id, channel, lookup_hash)
    is_new = user is None
    if user is None:
        user, is_new = _make(session, privacy, workspace_id, channel, sender, lookup_hash, now)
    if user.state == UserState.PENDING and lets_in:
        user.state, user.pairing_hash, user.pairing_until = UserState.ACTIVE, None, None
    elif is_new and not lets_in:
        user.state = UserState.PENDING
    code = _code(privacy, user, now) if user.state == UserState.PENDING else None
    session.flush()
    return _person(user, workspace_id, is_new=is_new, code=code)


def _person(user: User | Known, workspace_id: WorkspaceId, *, is_new: bool = False, code: str | None = None) -> Person:
    return Person(
        user_id=UserId(user.id),
        workspace_id=workspace_id,
        state=UserState(user.state),
        role=Role(user.role),
        language=user.language,
        is_new=is_new,
        pairing_code=code,
        consent=user.consent,
    )


def identity_hash(privacy: Privacy, workspace_id: WorkspaceId, channel: str, external_id: str) -> bytes:
    """What a person's messenger id is found by; different in every workspace, so that they cannot be matched."""
    return privacy.lookup.hash("identity", str(workspace_id), channel, external_id)


def _find(session: Session, workspace_id: WorkspaceId, channel: str, lookup_hash: bytes) -> User | None:
    return session.scalar(_FIND, {"workspace": workspace_id, "channel": channel, "found_by": lookup_hash})


def _make(
    session: Session,
    privacy: Privacy,
    workspace_id: WorkspaceId,
    channel: str,
    sender: Sender,
    lookup_hash: bytes,
    now: datetime,
) -> tuple[User, bool]:
    """A new user with this identity; or the one that another process made in the meantime, and False."""
    user_id = UserId(new_id())
    privacy.keyring.create(user_id)
    user = User(
        id=user_id,
        workspace_id=workspace_id,
        role=Role.MEMBER,
        state=UserState.ACTIVE,
        created_at=now,
    )
    identity = _identity(privacy, user, channel, sender, lookup_hash)
    try:
        # Only this part is taken back when the other process was first; the caller's transaction goes on.
        with session.begin_nested():
            session.add(user)
            session.flush()
            session.add(identity)
    except IntegrityError:
        privacy.keyring.discard(user_id)
        found = _find(session, workspace_id, channel, lookup_hash)
        if found is None:
            raise
        return found, False
    return user, True


def _identity(privacy: Privacy, user: User, channel: str, sender: Sender, lookup_hash: bytes) -> Identity:
    identity_id = new_id()
    user_id = UserId(user.id)
    return Identity(
        id=identity_id,
        workspace_id=user.workspace_id,
        user_id=user_id,
        channel=channel,
        lookup_hash=lookup_hash,
        external_id=privacy.sealer.seal(user_id, Identity.external_id, identity_id, sender.external_id),
        name=privacy.sealer.seal(user_id, Identity.name, identity_id, display_name(sender.name)),
        created_at=user.created_at,
    )


def _code(privacy: Privacy, user: User, now: datetime) -> str:
    """The pending user's code: the same one again while it lasts, then a new one."""
    until = user.pairing_until
    if until is None or until <= now:
        until = now + CODE_LIFE
    code = pairing_code(privacy.lookup, UserId(user.id), until)
    user.pairing_hash, user.pairing_until = code_hash(privacy.lookup, code), until
    return code
