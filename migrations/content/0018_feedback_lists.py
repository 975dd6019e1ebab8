"""An index for the list of thumbs down, the newest first: they are few, and lie far apart among those up."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_feedback_down_listed",
        "feedback",
        ["created_at", "id"],
        sqlite_where=sa.text("is_positive IS 0"),
        postgresql_where=sa.text("is_positive IS false"),
    )


def downgrade() -> None:
    op.drop_index("ix_feedback_down_listed", "feedback")
