"""The same stage as for unit tests, its content on PostgreSQL."""

from tests.support.postgres_stage import make_stage, migrated, stage

__all__ = ["make_stage", "migrated", "stage"]
