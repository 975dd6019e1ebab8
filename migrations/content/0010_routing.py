"""Routing: what a conversation is bound to, and where each turn went."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("bound_skill", sa.String(length=64), nullable=True))
    op.add_column("turns", sa.Column("route", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("turns") as turns:
        turns.drop_column("route")
    with op.batch_alter_table("conversations") as conversations:
        conversations.drop_column("bound_skill")
