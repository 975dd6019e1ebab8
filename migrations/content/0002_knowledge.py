"""Knowledge: documents, their passages, and an index of the passages' words."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite's full-text index follows the passages, deletes that come down from a workspace or a document included.
FULL_TEXT = (
    (
        "CREATE VIRTUAL TABLE knowledge_terms USING fts5("
        "terms, content='knowledge_passages', content_rowid='number', tokenize='ascii')"
    ),
    (
        "CREATE TRIGGER knowledge_passages_added AFTER INSERT ON knowledge_passages BEGIN "
        "INSERT INTO knowledge_terms (rowid, terms) VALUES (new.number, new.terms); END"
    ),
    (
        "CREATE TRIGGER knowledge_passages_removed AFTER DELETE ON knowledge_passages BEGIN "
        "INSERT INTO knowledge_terms (knowledge_terms, rowid, terms) VALUES ('delete', old.number, old.terms); END"
    ),
)


def upgrade() -> None:
    op.create_table(
        "knowledge_sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("lookup_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("folder_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("least_role", sa.String(length=16), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("passage_count", sa.Integer(), nullable=False),
        sa.Column("embedder", sa.String(length=100), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_knowledge_sources_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_sources")),
        sa.UniqueConstraint("workspace_id", "lookup_hash", name=op.f("uq_knowledge_sources_workspace_id_lookup_hash")),
    )
    op.create_table(
        "knowledge_passages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("terms", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["knowledge_sources.id"], name=op.f("fk_knowledge_passages_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_passages")),
        sa.UniqueConstraint("number", name=op.f("uq_knowledge_passages_number")),
    )
    op.create_index(op.f("ix_knowledge_passages_source_id"), "knowledge_passages", ["source_id"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in FULL_TEXT:
            op.execute(statement)
    else:
        op.create_index("knowledge_terms", "knowledge_passages", ["terms"], postgresql_using="gin")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER knowledge_passages_added")
        op.execute("DROP TRIGGER knowledge_passages_removed")
        op.execute("DROP TABLE knowledge_terms")
    op.drop_table("knowledge_passages")
    op.drop_table("knowledge_sources")
