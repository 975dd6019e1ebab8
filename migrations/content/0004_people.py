"""People: consent, profile, use of a day; linking of messengers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("consent", sa.String(length=16), nullable=True))
        users.add_column(sa.Column("link_hash", sa.LargeBinary(length=32), nullable=True))
        users.add_column(sa.Column("link_until", TIME, nullable=True))
        users.add_column(sa.Column("merged_into", sa.Uuid(), nullable=True))
        users.create_index(op.f("ix_users_link_hash"), ["link_hash"])
        users.create_index(op.f("ix_users_merged_into"), ["merged_into"])
        users.create_foreign_key(op.f("fk_users_merged_into"), "users", ["merged_into"], ["id"], ondelete="CASCADE")
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_consents_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_user_id"), "consents", ["user_id"])
    op.create_table(
        "profile_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=True),
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_profile_entries_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_entries")),
        sa.UniqueConstraint("user_id", "kind", "lookup_hash", name=op.f("uq_profile_entries_user_id_kind_lookup_hash")),
    )
    op.create_index("ix_profile_entries_expires_at", "profile_entries", ["expires_at"])
    op.create_table(
        "usage_days",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day", TIME, nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_usage_days_workspace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_usage_days_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_days")),
        sa.UniqueConstraint("user_id", "day", name=op.f("uq_usage_days_user_id_day")),
    )
    op.create_index("ix_usage_days_day_workspace_id", "usage_days", ["day", "workspace_id"])
    op.create_index("ix_usage_days_expires_at", "usage_days", ["expires_at"])


def downgrade() -> None:
    op.drop_table("usage_days")
    op.drop_table("profile_entries")
    op.drop_table("consents")
    # An older Parlour does not know the word; what they said stays.
    op.execute("UPDATE users SET state = 'active' WHERE state = 'merged'")
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("fk_users_merged_into"), type_="foreignkey")
        users.drop_index(op.f("ix_users_merged_into"))
        users.drop_index(op.f("ix_users_link_hash"))
        users.drop_column("merged_into")
        users.drop_column("link_until")
        users.drop_column("link_hash")
        users.drop_column("consent")
