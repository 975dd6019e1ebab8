"""From whom the identity provider vouches for to the login that was invited by it: never to one that was not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.admin.signin import attempts, sessions
from parlour.admin.signin.errors import EmailUnfit, IdentityNotAllowed, IdentityUnknown, TooOften
from parlour.admin.signin.logins import NOBODY, is_let_in
from parlour.admin.signin.names import email_hash, plain_email, subject_hash
from parlour.admin.signin.provider import Identity
from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.operator_models import Login


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """Which identities the settings let in at all."""

    allowed_domains: tuple[str, ...] = ()
    required_claims: Mapping[str, str] | None = None
    trusts_emails: bool = False


@dataclass(frozen=True, slots=True)
class Identities:
    """Signing in by an identity."""

    database: Database
    privacy: Privacy
    rules: IdentityRules

    def count_try(self, address: str) -> None:
        """Count this return from the provider. Raises `TooOften`."""
        now = self.database.clock.now()
        with self.database.begin() as session:
            too_often = attempts.is_return_too_often(session, self.privacy.lookup, address, now=now)
        if too_often:
            raise TooOften("Too many tries. Wait a quarter of an hour.")

    def sign_in(self, identity: Identity) -> str:
        """The token of a new session. Raises `IdentityNotAllowed`, `IdentityUnknown`; that is in the audit log too."""
        now = self.database.clock.now()
        try:
            email = self._allowed(identity)
            with self.database.begin() as session:
                login = self._login(session, identity, email)
                token = sessions.open_session(session, self.privacy.lookup, login.id, now=now)
                who = f"login:{login.id}"
                deed = Deed(who, "login.sign-in", who, WorkspaceId(login.workspace_id), "by the identity provider")
                record(session, self.privacy, deed, now=now)
        except (IdentityNotAllowed, IdentityUnknown):
            self.note_refused(now)
            raise
        return token

    def note_refused(self, now: datetime) -> None:
        """Write down that somebody came back from the provider and was not let in."""
        with self.database.begin() as session:
            deed = Deed(NOBODY, "login.sign-in-failed", NOBODY, None, "by the identity provider")
            record(session, self.privacy, deed, now=now)

    def _allowed(self, identity: Identity) -> str | None:
        """The identity's address where it may be gone by. Raises `IdentityNotAllowed`."""
        for name, wanted in (self.rules.required_claims or {}).items():
            if not _says(identity.claims.get(name), wanted):
                raise IdentityNotAllowed(f"The identity lacks {name}, which PARLOUR_OIDC__REQUIRED_CLAIMS asks for.")
        email = self._email(identity)
        domains = {domain.lower().lstrip("@") for domain in self.rules.allowed_domains}
        if domains and (email is None or email.rpartition("@")[2] not in domains):
            raise IdentityNotAllowed("The identity's address is not in PARLOUR_OIDC__ALLOWED_DOMAINS, or not verified.")
        return email

    def _email(self, identity: Identity) -> str | None:
        if identity.email is None or not (identity.is_email_verified or self.rules.trusts_emails):
            return None
        try:
            return plain_email(identity.email)
        except EmailUnfit:
            return None

    def _login(self, session: Session, identity: Identity, email: str | None) -> Login:
        """Whose identity it is; at first by the address that was invited, from then on by the subject alone."""
        subject = subject_hash(self.privacy.lookup, identity.issuer, identity.subject)
        login = session.scalar(select(Login).where(Login.subject_hash == subject))
        if login is None and email is not None:
            wanted = select(Login).where(Login.email_hash == email_hash(self.privacy.lookup, email))
            # An address that was somebody's before brings in nobody else: it is taken once.
            login = session.scalar(wanted.where(Login.subject_hash.is_(None)).with_for_update())
            if login is not None:
                login.subject_hash = subject
                session.flush()
        if login is None or not is_let_in(session, login):
            raise IdentityUnknown("Nobody was invited by this identity. Ask an owner to add your address.")
        return login


def _says(claim: Any, wanted: str) -> bool:  # noqa: ANN401 (whatever a provider says)
    """Whether a claim is that, or a list that has it."""
    if isinstance(claim, list):
        return wanted in [str(one) for one in claim]
    return claim is not None and (str(claim).lower() if isinstance(claim, bool) else str(claim)) == wanted
