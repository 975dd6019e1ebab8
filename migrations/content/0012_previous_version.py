"""Skills: the version before an upgrade, kept until the new one has answered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("skills") as skills:
        skills.add_column(sa.Column("previous", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("skills") as skills:
        skills.drop_column("previous")
