"""How many rows a statement changed."""

from typing import cast

from sqlalchemy import CursorResult, Delete, Insert, Update
from sqlalchemy.orm import Session


def changed_rows(session: Session, statement: Update | Delete | Insert, **values: object) -> int:
    """Execute the statement and return how many rows it changed: what a condition in it let through.

    `values` are those of its `bindparam`s.
    """
    return cast("CursorResult[tuple[()]]", session.execute(statement, values or None)).rowcount
