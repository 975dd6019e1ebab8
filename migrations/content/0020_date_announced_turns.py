"""Turns that were written without a date get the one of their rule: announcements', handoffs' and exports'."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from uuid6 import uuid7

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

CHANGES = sa.table(
    "retention_changes",
    sa.column("id", sa.Uuid()),
    sa.column("workspace_id", sa.Uuid()),
    sa.column("scope", sa.String()),
    sa.column("data_class", sa.String()),
    sa.column("changed_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    # As if the rule were set anew: the scheduler dates the rows, in batches, while everything runs.
    turns = sa.table("turns", sa.column("account_id", sa.Uuid()), sa.column("expires_at"))
    accounts = sa.table("accounts", sa.column("id", sa.Uuid()), sa.column("workspace_id", sa.Uuid()))
    undated = sa.exists().where(turns.c.account_id == accounts.c.id, turns.c.expires_at.is_(None))
    connection = op.get_bind()
    for workspace_id in connection.scalars(sa.select(accounts.c.workspace_id).where(undated).distinct()).all():
        connection.execute(
            CHANGES.insert().values(
                id=uuid7(),
                workspace_id=workspace_id,
                scope="workspace",
                data_class="operational",
                changed_at=datetime.now(UTC),
            )
        )


def downgrade() -> None:
    """Dates stay."""
