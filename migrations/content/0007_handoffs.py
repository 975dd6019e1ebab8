"""Conversations that humans take over."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("conversations", sa.Column("handoff_id", sa.Uuid(), nullable=True))
    op.create_table(
        "handoffs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("agent_name", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_handoffs_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_handoffs_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["place_id"], ["conversations.id"], name=op.f("fk_handoffs_place_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["users.id"], name=op.f("fk_handoffs_agent_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
    )
    op.create_index(op.f("ix_handoffs_conversation_id"), "handoffs", ["conversation_id"])
    op.create_index(op.f("ix_handoffs_user_id"), "handoffs", ["user_id"])
    op.create_index(op.f("ix_handoffs_agent_id"), "handoffs", ["agent_id"])
    op.create_index("ix_handoffs_place_id_state", "handoffs", ["place_id", "state"])
    op.create_index("ix_handoffs_expires_at", "handoffs", ["expires_at"])


def downgrade() -> None:
    op.drop_table("handoffs")
    with op.batch_alter_table("conversations") as batch:
        batch.drop_column("handoff_id")
