"""Those who run Parlour: logins, their sessions, links that set a password, tries to sign in."""

import sqlalchemy as sa
from alembic import op

from parlour.store.types import Sealed, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", Sealed(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("totp_secret", Sealed(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("opens_content", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_logins_workspace_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.UniqueConstraint("lookup_hash", name="uq_logins_lookup_hash"),
    )
    op.create_index("ix_logins_workspace_id", "logins", ["workspace_id"])
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name="fk_login_sessions_login_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_login_sessions"),
        sa.UniqueConstraint("lookup_hash", name="uq_login_sessions_lookup_hash"),
    )
    op.create_index("ix_login_sessions_login_id", "login_sessions", ["login_id"])
    op.create_index("ix_login_sessions_expires_at", "login_sessions", ["expires_at"])
    _create_rest()


def _create_rest() -> None:
    op.create_table(
        "login_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=True),
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_login_links_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name="fk_login_links_login_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_login_links"),
        sa.UniqueConstraint("lookup_hash", name="uq_login_links_lookup_hash"),
    )
    for column in ("workspace_id", "login_id", "expires_at"):
        op.create_index(f"ix_login_links_{column}", "login_links", [column])
    op.create_table(
        "signin_counts",
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lookup_hash", name="pk_signin_counts"),
    )
    op.create_index("ix_signin_counts_ends_at", "signin_counts", ["ends_at"])


def downgrade() -> None:
    for table in ("signin_counts", "login_links", "login_sessions", "logins"):
        op.drop_table(table)
