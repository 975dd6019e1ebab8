"""Rows of any table, made from its columns alone."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    insert,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def fill(connection: Connection, metadata: MetaData, *, rows: int = 3) -> dict[str, int]:
    """Put `rows` rows into every table, each referring to rows of the tables before; returns how many each has."""
    ids: dict[str, list[Any]] = {}
    for table in metadata.sorted_tables:
        made = [{column.name: _value(column, ids, number) for column in table.columns} for number in range(rows)]
        connection.execute(insert(table), made)
        ids[table.name] = [row[_key(table)] for row in made]
    return {name: len(found) for name, found in ids.items()}


def _key(table: Table) -> str:
    (column,) = table.primary_key.columns
    return column.name


def _value(column: Column[Any], ids: dict[str, list[Any]], number: int) -> Any:
    for reference in column.foreign_keys:
        if reference.column.table is column.table:
            return None
        return ids[reference.column.table.name][number]
    values = {
        Uuid: uuid4,
        DateTime: lambda: NOW,
        LargeBinary: lambda: bytes([number]) * 32,
        Boolean: lambda: number % 2 == 0,
        Integer: lambda: number,
        String: lambda: f"{column.name[:6]} {number}",
    }
    kind = getattr(column.type, "impl_instance", column.type)
    return next(make() for of, make in values.items() if isinstance(kind, of))
