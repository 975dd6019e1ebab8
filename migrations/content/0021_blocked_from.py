"""What a person was before they were blocked: whoever was never let in is not by being unblocked."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

is_expanding = True


def upgrade() -> None:
    op.add_column("users", sa.Column("blocked_from", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "blocked_from")
