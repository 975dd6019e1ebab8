"""Privacy: retention rules and holds, erasures, requests from the chat, the audit chain; expiry of what had none."""

import sqlalchemy as sa
from alembic import op
from uuid6 import uuid7

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
_HAS_EXPIRY = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("users", sa.Column("expires_at", TIME, nullable=True))
    op.create_index(
        "ix_users_expires_at", "users", ["expires_at"], sqlite_where=_HAS_EXPIRY, postgresql_where=_HAS_EXPIRY
    )
    for table in ("turns", "feedback"):
        op.add_column(table, sa.Column("expires_at", TIME, nullable=True))
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
    # Without it, each message that goes would have every delivery looked through.
    op.create_index(op.f("ix_deliveries_message_id"), "deliveries", ["message_id"])
    _retention()
    _erasure()
    _audit()
    _date_what_had_no_date()


def _retention() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("data_class", sa.String(length=16), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        _refers("retention_rules", "workspace_id", "workspaces"),
        _refers("retention_rules", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_rules")),
        sa.UniqueConstraint(
            "workspace_id", "scope", "data_class", name=op.f("uq_retention_rules_workspace_id_scope_data_class")
        ),
    )
    _index("retention_rules", "conversation_id")
    op.create_table(
        "retention_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("data_class", sa.String(length=16), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        _refers("retention_changes", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_changes")),
    )
    _index("retention_changes", "workspace_id", "changed_at")
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("placed_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        _refers("legal_holds", "workspace_id", "workspaces"),
        _refers("legal_holds", "user_id", "users"),
        _refers("legal_holds", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    _index("legal_holds", "workspace_id", "user_id", "conversation_id")


def _erasure() -> None:
    op.create_table(
        "erasures",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        _refers("erasures", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_erasures")),
    )
    _index("erasures", "receipt_id", "workspace_id")
    is_unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "ix_erasures_unfinished",
        "erasures",
        ["requested_at"],
        sqlite_where=is_unfinished,
        postgresql_where=is_unfinished,
    )
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        _refers("privacy_requests", "user_id", "users"),
        _refers("privacy_requests", "turn_id", "turns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sa.UniqueConstraint("user_id", "kind", name=op.f("uq_privacy_requests_user_id_kind")),
    )
    _index("privacy_requests", "turn_id", "due_at")


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
    )
    _index("audit_entries", "subject")
    op.create_table(
        "audit_heads",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_heads")),
    )


def _date_what_had_no_date() -> None:
    """Have the scheduler date the rows that are there, as if the rules had been set just now."""
    changes = sa.table(
        "retention_changes",
        sa.column("id", sa.Uuid()),
        sa.column("workspace_id", sa.Uuid()),
        sa.column("scope", sa.String()),
        sa.column("data_class", sa.String()),
        sa.column("changed_at", TIME),
    )
    workspaces = sa.table("workspaces", sa.column("id", sa.Uuid()), sa.column("created_at", TIME))
    for workspace_id, created_at in op.get_bind().execute(sa.select(workspaces.c.id, workspaces.c.created_at)).all():
        for data_class in ("operational", "feedback"):
            row = {
                "id": uuid7(),
                "workspace_id": workspace_id,
                "scope": "workspace",
                "data_class": data_class,
                "changed_at": created_at,
            }
            op.get_bind().execute(sa.insert(changes).values(**row))


def downgrade() -> None:
    for table in (
        "audit_heads",
        "audit_entries",
        "privacy_requests",
        "erasures",
        "legal_holds",
        "retention_changes",
        "retention_rules",
    ):
        op.drop_table(table)
    op.drop_index(op.f("ix_deliveries_message_id"), "deliveries")
    for table in ("feedback", "turns", "users"):
        op.drop_index(f"ix_{table}_expires_at", table)
        with op.batch_alter_table(table) as batch:
            batch.drop_column("expires_at")


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
