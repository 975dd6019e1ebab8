"""What an owner changes about who runs Parlour: roles, who is behind a login, and how they sign in (again)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.admin.signin import sessions
from parlour.admin.signin.errors import IdentityTaken, LoginUnknown, PersonUnknown
from parlour.admin.signin.links import Link, make_link
from parlour.admin.signin.logins import keep_an_owner, lock_workspace
from parlour.admin.signin.names import email_hash, name_hash_of, plain_email, subject_hash
from parlour.people.states import Role, UserState
from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import User
from parlour.store.operator_models import Login, LoginLink


@dataclass(frozen=True, slots=True)
class Operators:
    """The logins of a workspace, as its owners change them."""

    database: Database
    privacy: Privacy
    workspace_id: WorkspaceId
    actor: str

    def find(self, name: str) -> UUID:
        """The login of that name. Raises `LoginUnknown`."""
        wanted = select(Login.id).where(
            Login.workspace_id == self.workspace_id, Login.lookup_hash == name_hash_of(self.privacy.lookup, name)
        )
        with self.database.read() as session:
            found = session.scalar(wanted)
        if found is None:
            raise LoginUnknown(f"No operator {name!r}. See all with: parlour operator list")
        return found

    def set_role(self, login_id: UUID, role: Role, *, opens_content: bool) -> None:
        """Give another role, from the next request on. Raises `LoginUnknown`, `LastOwnerLogin`."""
        with self.database.begin() as session:
            login = self._change(session, login_id)
            if role is not Role.OWNER:
                keep_an_owner(session, login)
            login.role, login.opens_content = role, opens_content
            self._note(session, f"login.role.{role}", login)

    def set_email(self, login_id: UUID, email: str) -> None:
        """Let the identity provider bring them in by this address; empty: by none any more.

        Whom it brought in before is forgotten: who has the address signs in next. Raises `LoginUnknown`,
        `IdentityTaken`, `EmailUnfit`.
        """
        hashed = email_hash(self.privacy.lookup, plain_email(email)) if email.strip() else None
        self._set_identity(login_id, email=hashed, subject=None)

    def set_subject(self, login_id: UUID, issuer: str, subject: str) -> None:
        """Let the identity provider bring in this identity and no other. Raises `LoginUnknown`, `IdentityTaken`."""
        self._set_identity(login_id, email=None, subject=subject_hash(self.privacy.lookup, issuer, subject))

    def set_person(self, login_id: UUID, user_id: UserId | None) -> None:
        """Name the person behind the login: blocking or erasing them ends it.

        Raises `LoginUnknown`, `PersonUnknown`, `LastOwnerLogin`.
        """
        with self.database.begin() as session:
            login = self._change(session, login_id)
            user = session.get(User, user_id) if user_id is not None else None
            if user_id is not None and (user is None or user.workspace_id != self.workspace_id):
                raise PersonUnknown("There is no such person in this workspace.")
            if user is not None and user.state != UserState.ACTIVE:
                keep_an_owner(session, login)
            login.user_id = user_id
            self._note(session, "login.person", login)

    def end_sessions(self, login_id: UUID, *, takes_password: bool = False) -> None:
        """End all their sessions; with `takes_password` their password opens nothing any more either, until a link.

        Raises `LoginUnknown`, `LastOwnerLogin`.
        """
        with self.database.begin() as session:
            login = self._change(session, login_id)
            if takes_password:
                keep_an_owner(session, login)
                login.password_hash = None
                self._note(session, "login.password-off", login)
            sessions.close_sessions(session, login.id)
            self._note(session, "login.sign-out", login)

    def stop_totp(self, login_id: UUID) -> None:
        """Ask them for no code any more: who lost the app signs in by the password alone. Raises `LoginUnknown`."""
        with self.database.begin() as session:
            login = self._change(session, login_id)
            login.totp_secret = None
            self._note(session, "login.totp-off", login)

    def new_link(self, login_id: UUID) -> Link:
        """A link by which they set a new password, in place of earlier ones; the old one is good until then.

        Raises `LoginUnknown`.
        """
        with self.database.begin() as session:
            login = self._change(session, login_id)
            session.execute(delete(LoginLink).where(LoginLink.login_id == login.id))
            now = self.database.clock.now()
            link = make_link(session, self.privacy.lookup, self.workspace_id, login.id, now=now)
            self._note(session, "login.link", login)
        return link

    def _set_identity(self, login_id: UUID, *, email: bytes | None, subject: bytes | None) -> None:
        try:
            with self.database.begin() as session:
                login = self._change(session, login_id)
                login.email_hash, login.subject_hash = email, subject
                if login.password_hash is None:
                    # They came in by the identity that is taken from them.
                    sessions.close_sessions(session, login.id)
                self._note(session, "login.identity", login)
        except IntegrityError:
            raise IdentityTaken("Another login has this address or identity.") from None

    def _change(self, session: Session, login_id: UUID) -> Login:
        lock_workspace(session, self.workspace_id)
        login = session.get(Login, login_id, with_for_update=True)
        if login is None or login.workspace_id != self.workspace_id:
            raise LoginUnknown("There is no such login.")
        return login

    def _note(self, session: Session, action: str, login: Login) -> None:
        session.flush()
        deed = Deed(self.actor, action, f"login:{login.id}", self.workspace_id)
        record(session, self.privacy, deed, now=self.database.clock.now())
