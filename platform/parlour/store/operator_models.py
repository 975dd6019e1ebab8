"""The tables of those who run Parlour in a browser: logins, sessions, links to set a password, failed sign-ins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class Login(Base):
    """Somebody who may sign in to the admin pages."""

    __tablename__ = "logins"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    # Keyed hash of the name, to find it by.
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # Sealed under the workspace's key, as is the secret below.
    name: Mapped[bytes] = mapped_column(Sealed)
    # argon2id; none: not set yet, a link was handed out.
    password_hash: Mapped[str | None] = mapped_column(String(255))
    totp_secret: Mapped[bytes | None] = mapped_column(Sealed)
    # The last half minute that a code was taken for: none is taken twice.
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0)
    role: Mapped[str] = mapped_column(String(16))
    # Whether an admin may open what people wrote; see `people.rights`.
    opens_content: Mapped[bool] = mapped_column(default=False)
    # The person in the messengers behind it, where they were named: it goes with them, and is theirs to be told.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Keyed hashes: the address by which the identity provider may bring them in, and whom it brought then.
    email_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    subject_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]


class LoginSession(Base):
    """A browser that is signed in. Only a hash of what it shows is kept."""

    __tablename__ = "login_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), index=True)
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    # To the minute.
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LoginLink(Base):
    """A link that sets a password, once. Of no login: it makes the first owner's."""

    __tablename__ = "login_links"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    login_id: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), index=True)
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SigninCount(Base):
    """How often a sign-in was tried lately by one name, from one address, or both: a keyed hash tells which."""

    __tablename__ = "signin_counts"

    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    tries: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)
