"""Operators: the person behind a login, and who they are at an identity provider."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_HASHES = ("email_hash", "subject_hash")


def upgrade() -> None:
    with op.batch_alter_table("logins") as logins:
        logins.add_column(sa.Column("user_id", sa.Uuid(), nullable=True))
        for column in _HASHES:
            logins.add_column(sa.Column(column, sa.LargeBinary(length=32), nullable=True))
            logins.create_unique_constraint(op.f(f"uq_logins_{column}"), [column])
        logins.create_index(op.f("ix_logins_user_id"), ["user_id"])
        logins.create_foreign_key(op.f("fk_logins_user_id"), "users", ["user_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    with op.batch_alter_table("logins") as logins:
        logins.drop_constraint(op.f("fk_logins_user_id"), type_="foreignkey")
        logins.drop_index(op.f("ix_logins_user_id"))
        for column in reversed(_HASHES):
            logins.drop_constraint(op.f(f"uq_logins_{column}"), type_="unique")
            logins.drop_column(column)
        logins.drop_column("user_id")
