"""The migrations of a Parlour to come: those of this one, and one more that adds to what is there."""

import shutil
from pathlib import Path

from parlour.store import schema


def add_expanding_revision(folder: Path, *, is_expanding: bool = True) -> Path:
    """Make `folder` hold them, the newest called `expanded`, and return it."""
    shutil.copytree(schema._folder(), folder)
    (folder / "content" / "expanded.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = 'expanded', '{schema.head()}'\n"
        f"is_expanding = {is_expanding}\n"
        "def upgrade():\n"
        "    op.create_table('moods', sa.Column('id', sa.Integer(), primary_key=True))\n"
        "    op.add_column('turns', sa.Column('mood', sa.String(8)))\n"
        "    op.add_column('messages', sa.Column('tone', sa.String(8), server_default='plain', nullable=False))\n"
        "def downgrade():\n"
        "    op.drop_column('messages', 'tone')\n"
        "    op.drop_column('turns', 'mood')\n"
        "    op.drop_table('moods')\n"
    )
    return folder
