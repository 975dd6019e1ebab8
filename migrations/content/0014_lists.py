"""Indexes for the lists that operators page through, newest first."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_IS_GROUP = sa.text("user_id IS NULL")


def upgrade() -> None:
    op.create_index("ix_conversations_listed", "conversations", ["workspace_id", "created_at", "id"])
    op.create_index("ix_conversations_account_listed", "conversations", ["account_id", "created_at", "id"])
    op.create_index(
        "ix_conversations_groups_listed",
        "conversations",
        ["workspace_id", "created_at", "id"],
        sqlite_where=_IS_GROUP,
        postgresql_where=_IS_GROUP,
    )
    # The first of them begins with the same column.
    op.drop_index(op.f("ix_conversations_workspace_id"), "conversations")
    op.create_index("ix_feedback_listed", "feedback", ["created_at", "id"])
    op.create_index("ix_audit_entries_listed", "audit_entries", ["workspace_id", "seq"])
    op.create_index("ix_audit_entries_actor_listed", "audit_entries", ["workspace_id", "actor", "seq"])
    # Not by the language's order, in which no beginning of a word can be looked up.
    pattern = {"action": "varchar_pattern_ops"}
    op.create_index("ix_audit_entries_action", "audit_entries", ["action"], postgresql_ops=pattern)
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])


def downgrade() -> None:
    for name in ("at", "action", "actor_listed", "listed"):
        op.drop_index(f"ix_audit_entries_{name}", "audit_entries")
    op.drop_index("ix_feedback_listed", "feedback")
    op.create_index(op.f("ix_conversations_workspace_id"), "conversations", ["workspace_id"])
    for name in ("groups_listed", "account_listed", "listed"):
        op.drop_index(f"ix_conversations_{name}", "conversations")
