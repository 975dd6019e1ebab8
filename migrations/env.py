"""How alembic reaches a database: over the connection that `parlour.store.schema` hands in, or a scratch file."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from parlour.privacy.models import KeyBase
from parlour.store.connect import make_file
from parlour.store.schema import Schema, locked_for_migration, version_table
from parlour.store.tables import CONTENT, is_told
from parlour.store.types import Sealed, UtcDateTime

schema = Schema.KEYS if context.config.config_ini_section == "keys" else Schema.CONTENT
metadata = {Schema.CONTENT: CONTENT, Schema.KEYS: KeyBase.metadata}[schema]


def render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Our own types by what they are in the database: a migration must mean the same when their code has changed."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Sealed):
        return "sa.LargeBinary()"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=version_table(schema),
        render_item=render_item,
        include_name=lambda name, _kind, _parents: is_told(name or ""),
        # SQLite changes a table by copying it.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    migrate(handed_in)
else:
    url = context.config.get_main_option("sqlalchemy.url", "")
    make_file(url)
    with locked_for_migration(url) as own:
        migrate(own)
