"""Those who run Parlour: signing them in, and what an owner does with them. Every change stands in the audit log."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.admin.signin import attempts, links, sessions
from parlour.admin.signin.errors import (
    CodeWrong,
    LastOwnerLogin,
    LinkSpent,
    LoginUnknown,
    NameTaken,
    NameUnfit,
    Refused,
    TooOften,
)
from parlour.admin.signin.links import Link
from parlour.admin.signin.names import email_hash, name_hash_of, plain_email
from parlour.admin.signin.passwords import hash_password, is_right, wait_as_long
from parlour.people.states import Role
from parlour.privacy.audit import Deed, record
from parlour.privacy.logins import is_last_owner, is_open
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.models import Workspace
from parlour.store.operator_models import Login

_NAME_CHARS = 100
_TOTP_STEP_S = 30
_TOO_OFTEN = "Too many tries. Wait a quarter of an hour."
# Whose sign-in failed, where nobody has that name: the name itself might be a password typed into the wrong field.
NOBODY = "login:unknown"


@dataclass(frozen=True, slots=True)
class LoginView:
    """A login, as owners see it."""

    id: UUID
    name: str
    role: Role
    opens_content: bool
    has_password: bool
    has_totp: bool
    # By the identity provider: an address was named, or an identity came by it.
    has_identity: bool
    # The person in the messengers behind it.
    user_id: UserId | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Logins:
    """The logins of all workspaces, in one database."""

    database: Database
    privacy: Privacy

    # ---- signing in ----

    def sign_in(self, name: str, password: str, code: str, *, address: str) -> str:
        """The token of a new session. Raises `Refused` and `TooOften`; either way the try is counted."""
        now, name_hash = self.database.clock.now(), name_hash_of(self.privacy.lookup, name)
        with self.database.begin() as session:
            spent = attempts.count_try(session, self.privacy.lookup, name_hash, address, now=now)
        if spent.by_name:
            raise TooOften(_TOO_OFTEN)
        with self.database.read() as session:
            login = session.scalar(select(Login).where(Login.lookup_hash == name_hash))
        # Many may share an address, behind a proxy say: who guesses at names there does not shut out the others. A name
        # that is somebody's has its own few tries, and for all the rest nothing is computed any more.
        if spent.by_address and login is None:
            wait_as_long()
            raise TooOften(_TOO_OFTEN)
        # Outside of any transaction: it takes its time on purpose.
        is_known = is_right(login.password_hash if login else None, password)
        with self.database.begin() as session:
            token = None
            if login is not None and is_known:
                token = self._let_in(session, login.id, login.password_hash, code, now=now)
            if token is not None:
                attempts.forget_tries(session, self.privacy.lookup, name_hash, address)
            who = f"login:{login.id}" if login is not None else NOBODY
            workspace_id = WorkspaceId(login.workspace_id) if login is not None else None
            action = "login.sign-in" if token is not None else "login.sign-in-failed"
            record(session, self.privacy, Deed(who, action, who, workspace_id), now=now)
        if token is None and spent.by_address:
            raise TooOften(_TOO_OFTEN)
        if token is None:
            raise Refused("Name, password or code is not right.")
        return token

    def _let_in(
        self, session: Session, login_id: UUID, password_hash: str | None, code: str, *, now: datetime
    ) -> str | None:
        login = session.get(Login, login_id, with_for_update=True)
        # Changed or removed while the password was looked at.
        if login is None or login.password_hash != password_hash or not is_let_in(session, login):
            return None
        if login.totp_secret is not None and not self._takes_code(login, code, now):
            return None
        return sessions.open_session(session, self.privacy.lookup, login.id, now=now)

    def _takes_code(self, login: Login, code: str, now: datetime) -> bool:
        """Whether the code is right; each is taken once."""
        sealed = login.totp_secret
        if sealed is None:
            return False
        secret = self.privacy.sealer.open_text(WorkspaceId(login.workspace_id), Login.totp_secret, login.id, sealed)
        step = _step_of(secret, code, now)
        if step is None or step <= login.totp_step:
            return False
        login.totp_step = step
        return True

    def sign_out(self, login_id: UUID, session_id: UUID) -> None:
        """End this session."""
        self.close(login_id, only=session_id)

    def close(self, login_id: UUID, *, only: UUID | None = None, but: UUID | None = None) -> None:
        """End sessions of a login: one, all but one, or all."""
        with self.database.begin() as session:
            sessions.close_sessions(session, login_id, only=only, but=but)
            login = session.get(Login, login_id)
            if login is not None:
                self._note(session, f"login:{login_id}", "login.sign-out", login)

    # ---- links ----

    def set_password_by_link(self, token: str, name: str, password: str) -> str | None:
        """Use the link up: the first owner's login is made, or the link's one gets its password; a session's token.

        None where codes are asked for: a link is no way around them, they sign in.

        Raises `LinkSpent`, `PasswordTooWeak`, `NameTaken`, `NameUnfit`: the link stays then.
        """
        # Looked at before the hash is computed: whoever has no link does not make the machine work.
        links.look_at(self.database, self.privacy, token)
        password_hash = hash_password(password)
        now = self.database.clock.now()
        try:
            with self.database.begin() as session:
                offer = links.use_up(session, self.privacy.lookup, token, now=now)
                if offer.login_id is None:
                    login = self._first_owner(session, offer.workspace_id, name, now)
                else:
                    login = session.get_one(Login, offer.login_id)
                login.password_hash = password_hash
                session.flush()
                sessions.close_sessions(session, login.id)
                asks_code = login.totp_secret is not None
                opened = None if asks_code else sessions.open_session(session, self.privacy.lookup, login.id, now=now)
                self._note(session, f"login:{login.id}", "login.password", login)
        except IntegrityError:
            raise NameTaken("Somebody signs in by that name already. Choose another.") from None
        return opened

    def _first_owner(self, session: Session, workspace_id: WorkspaceId, name: str, now: datetime) -> Login:
        lock_workspace(session, workspace_id)
        if session.scalar(select(Login.id).where(Login.password_hash.is_not(None)).limit(1)) is not None:
            raise LinkSpent("There is an owner already. Ask them for a link.")
        return self._add(session, workspace_id, name, Role.OWNER, now)

    # ---- one's own ----

    def show(self, login_id: UUID) -> LoginView:
        """One login."""
        with self.database.read() as session:
            login = session.get(Login, login_id)
        if login is None:
            raise LoginUnknown("There is no such login.")
        return self._view(login)

    def change_password(self, login_id: UUID, old: str, new: str, *, session_id: UUID | None) -> None:
        """Set a new password; all other sessions end. Raises `Refused`, `PasswordTooWeak`."""
        with self.database.read() as session:
            known = session.get_one(Login, login_id).password_hash
        if not is_right(known, old):
            raise Refused("The old password is not right.")
        password_hash = hash_password(new)
        with self.database.begin() as session:
            login = session.get_one(Login, login_id, with_for_update=True)
            login.password_hash = password_hash
            sessions.close_sessions(session, login_id, but=session_id)
            self._note(session, f"login:{login_id}", "login.password", login)

    def start_totp(self, login_id: UUID, password: str, secret: str, code: str) -> None:
        """From now on ask for a code of this secret too. Raises `Refused`, `CodeWrong`."""
        now = self.database.clock.now()
        with self.database.read() as session:
            known = session.get_one(Login, login_id).password_hash
        if not is_right(known, password):
            raise Refused("The password is not right.")
        step = _step_of(secret, code, now)
        if step is None:
            raise CodeWrong("The code is not right. Type the one that the app shows now.")
        with self.database.begin() as session:
            login = session.get_one(Login, login_id, with_for_update=True)
            workspace_id = WorkspaceId(login.workspace_id)
            login.totp_secret = self.privacy.sealer.seal(workspace_id, Login.totp_secret, login.id, secret)
            login.totp_step = step
            self._note(session, f"login:{login_id}", "login.totp", login)

    def stop_totp(self, login_id: UUID, password: str) -> None:
        """Ask for no code any more. Raises `Refused`."""
        with self.database.read() as session:
            known = session.get_one(Login, login_id).password_hash
        if not is_right(known, password):
            raise Refused("The password is not right.")
        with self.database.begin() as session:
            login = session.get_one(Login, login_id, with_for_update=True)
            login.totp_secret = None
            self._note(session, f"login:{login_id}", "login.totp-off", login)

    # ---- what owners do ----

    def list(self, workspace_id: WorkspaceId) -> list[LoginView]:
        """All logins of the workspace, oldest first."""
        with self.database.read() as session:
            rows = session.scalars(select(Login).where(Login.workspace_id == workspace_id).order_by(Login.id)).all()
        return [self._view(row) for row in rows]

    def invite(
        self, workspace_id: WorkspaceId, name: str, role: Role, *, opens_content: bool, actor: str, email: str = ""
    ) -> Link:
        """Make a login and the link by which its password is set. Raises `NameTaken`, `NameUnfit`, `EmailUnfit`.

        With `email`, the identity provider brings them in by that address too, with a password or without.
        """
        now, hashed = self.database.clock.now(), email_hash(self.privacy.lookup, plain_email(email)) if email else None
        try:
            with self.database.begin() as session:
                login = self._add(session, workspace_id, name, role, now)
                login.opens_content, login.email_hash = opens_content, hashed
                session.flush()
                link = links.make_link(session, self.privacy.lookup, workspace_id, login.id, now=now)
                self._note(session, actor, f"login.add.{role}", login)
        except IntegrityError:
            raise NameTaken("Somebody signs in by that name or address already. Choose another.") from None
        return link

    def remove(self, workspace_id: WorkspaceId, login_id: UUID, *, actor: str) -> None:
        """Remove a login and its sessions. Raises `LoginUnknown`, `LastOwnerLogin`."""
        with self.database.begin() as session:
            lock_workspace(session, workspace_id)
            login = session.get(Login, login_id)
            if login is None or login.workspace_id != workspace_id:
                raise LoginUnknown("There is no such login.")
            keep_an_owner(session, login)
            session.delete(login)
            session.flush()
            self._note(session, actor, "login.remove", login)

    # ---- inside ----

    def _add(self, session: Session, workspace_id: WorkspaceId, name: str, role: Role, now: datetime) -> Login:
        shown = name.strip()
        if not 1 <= len(shown) <= _NAME_CHARS:
            raise NameUnfit(f"A name has 1 to {_NAME_CHARS} characters.")
        login_id = new_id()
        login = Login(
            id=login_id,
            workspace_id=workspace_id,
            lookup_hash=name_hash_of(self.privacy.lookup, shown),
            name=self.privacy.sealer.seal(workspace_id, Login.name, login_id, shown),
            totp_step=0,
            role=role,
            opens_content=False,
            created_at=now,
        )
        session.add(login)
        session.flush()
        return login

    def _note(self, session: Session, actor: str, action: str, login: Login) -> None:
        session.flush()
        deed = Deed(actor, action, f"login:{login.id}", WorkspaceId(login.workspace_id))
        record(session, self.privacy, deed, now=self.database.clock.now())

    def _view(self, login: Login) -> LoginView:
        return LoginView(
            id=login.id,
            name=self.privacy.sealer.open_text(WorkspaceId(login.workspace_id), Login.name, login.id, login.name),
            role=Role(login.role),
            opens_content=login.opens_content,
            has_password=login.password_hash is not None,
            has_totp=login.totp_secret is not None,
            has_identity=login.email_hash is not None or login.subject_hash is not None,
            user_id=UserId(login.user_id) if login.user_id else None,
            created_at=login.created_at,
        )


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is, of the one before, this and the next; None: the code is wrong."""
    totp, typed = pyotp.TOTP(secret, interval=_TOTP_STEP_S), code.replace(" ", "")
    here = int(now.timestamp()) // _TOTP_STEP_S
    right = [step for step in (here - 1, here, here + 1) if pyotp.utils.strings_equal(totp.generate_otp(step), typed)]
    return right[-1] if right else None


def lock_workspace(session: Session, workspace_id: WorkspaceId) -> None:
    """One such change at a time in a workspace: two owners may remove each other."""
    session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))


def keep_an_owner(session: Session, login: Login) -> None:
    """Raises `LastOwnerLogin` where nobody else could sign in as an owner without the identity provider."""
    if is_last_owner(session, login):
        raise LastOwnerLogin("This is the last owner who can sign in. Add another one first.")


def is_let_in(session: Session, login: Login) -> bool:
    """Whether the login may be used."""
    return session.scalar(select(Login.id).where(Login.id == login.id, is_open())) is not None
