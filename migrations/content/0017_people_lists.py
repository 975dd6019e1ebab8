"""Indexes for the list of people by state and by role, in order of arrival."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("state", "role"):
        op.create_index(f"ix_users_{column}_listed", "users", ["workspace_id", column, "id"])
    # Both of them begin with the same column.
    op.drop_index(op.f("ix_users_workspace_id"), "users")


def downgrade() -> None:
    op.create_index(op.f("ix_users_workspace_id"), "users", ["workspace_id"])
    for column in ("role", "state"):
        op.drop_index(f"ix_users_{column}_listed", "users")
