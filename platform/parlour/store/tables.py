"""All tables of the content database in one place, for what has to know every one: migrations, exports, tests."""

from sqlalchemy import MetaData

from parlour.store import (
    api_models,
    knowledge_models,
    models,
    operator_models,
    outbound_models,
    people_models,
    privacy_models,
    skill_models,
)

# A module of tables is known to SQLAlchemy once it is imported; each is named here so that none is forgotten.
TABLES = (
    models,
    api_models,
    knowledge_models,
    operator_models,
    outbound_models,
    people_models,
    privacy_models,
    skill_models,
)
CONTENT: MetaData = models.Base.metadata

# Made by migrations in a database's own words; alembic and SQLAlchemy know nothing of them.
_UNTOLD = "knowledge_terms"


def is_told(name: str) -> bool:
    """Whether the table or index is one of those above, and not a full-text index or a part of one."""
    return not name.startswith(_UNTOLD)
