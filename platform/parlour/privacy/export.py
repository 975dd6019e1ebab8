"""Everything that is held about a person, opened, as JSON and readable HTML in one zip."""

import html
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, LargeBinary, Table, or_, select
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.classes import (
    SEALED_BY_MENTION,
    mention_columns,
    model_of,
    personal_tables,
    user_columns,
)
from parlour.privacy.persons import SubjectUnknown, is_noted_as_erased, person_of
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import SubjectId, UserId, WorkspaceId
from parlour.store.models import User
from parlour.store.types import Sealed

_BATCH: Final = 500
# Sealed under the workspace's key though the row is about a person.
_OF_WORKSPACE: Final = frozenset({("logins", "name")})
_LEFT_OUT: Final = frozenset(
    {
        # Numbers for machines, not about what anybody said.
        ("profile_entries", "vector"),
        # What opens a login is not handed out with a file.
        ("logins", "password_hash"),
        ("logins", "totp_secret"),
        ("logins", "totp_step"),
        # That a hold keeps their data, and since when, is told; why and by whom is the case's, which it might give away
        # to whom it is about. Whoever may is told by the administrators.
        ("legal_holds", "reason"),
        ("legal_holds", "placed_by"),
    }
)
# What Parlour itself keeps as JSON. Whatever else looks like it is what somebody wrote, and stays as they wrote it.
_JSON: Final = frozenset(
    {
        ("conversations", "address"),
        ("deliveries", "external_keys"),
        ("deliveries", "parts"),
        ("messages", "extras"),
        ("profile_entries", "body"),
        ("skill_documents", "body"),
    }
)
# What a skill nested deeper stays text: writing it would take as many calls within one another.
_DEEPEST: Final = 100
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem;"
    "border-bottom:1px solid #8884}td{overflow-wrap:anywhere;white-space:pre-wrap}"
)


@dataclass(frozen=True, slots=True)
class Export:
    """An export as a file."""

    name: str
    content: bytes
    rows: Mapping[str, int]


def export_person(
    database: Database, privacy: Privacy, user_id: UUID, *, actor: str, reason: str | None = None
) -> Export:
    """All that is held about the person, whom they were before they linked their messengers included.

    Of a legal hold on them only that it stands and since when: whoever made the file, it is theirs to read.
    Raises `SubjectUnknown`; `KeyShredded` where they are erased meanwhile: half an export is none.
    """
    files: dict[str, bytes] = {}
    with database.read() as session:
        person = person_of(session, user_id)
        if not person or is_noted_as_erased(session, person):
            raise SubjectUnknown(f"No user {user_id}, or they were erased: nothing is held that could be exported.")
        workspace_id = WorkspaceId(session.scalars(select(User.workspace_id).where(User.id == user_id)).one())
        tables = {
            table.name: list(_rows(session, privacy, table, person, workspace_id, files)) for table in personal_tables()
        }
    told = {
        "format": "parlour-export",
        "version": 1,
        "person": sorted(str(one) for one in person),
        "made_at": database.clock.now().isoformat(),
        "tables": tables,
    }
    with database.begin() as session:
        deed = Deed(actor, "user.export", str(user_id), workspace_id, reason)
        record(session, privacy, deed, now=database.clock.now())
    return Export(f"export-{user_id}.zip", _zipped(told, files), {name: len(rows) for name, rows in tables.items()})


def _rows(
    session: Session,
    privacy: Privacy,
    table: Table,
    person: frozenset[UUID],
    workspace_id: WorkspaceId,
    files: dict[str, bytes],
) -> Iterator[dict[str, Any]]:
    """The person's rows of a table, oldest first, as JSON takes them."""
    (key,) = table.primary_key.columns
    names = [*user_columns(table), *mention_columns(table)] if table.name != "users" else ["id"]
    wanted = select(table).where(or_(*(table.c[name].in_(person) for name in names))).order_by(key)
    # Closed also where a row does not open: the server keeps a place in what is read in parts.
    with session.execute(wanted.execution_options(yield_per=_BATCH)) as found:
        for row in found.mappings():
            opened = _Opened(privacy, table, dict(row), person, workspace_id)
            yield {
                column.name: (
                    _of_json(value)
                    if (table.name, column.name) in _JSON
                    else _plain(value, f"{table.name}/{row[key.name]}-{column.name}", files)
                )
                for column in table.columns
                if (value := opened.value(column)) is not None
            }


@dataclass(frozen=True, slots=True)
class _Opened:
    """A row whose sealed values can be read."""

    privacy: Privacy
    table: Table
    row: Mapping[str, Any]
    person: frozenset[UUID]
    workspace_id: WorkspaceId

    def value(self, column: Column[Any]) -> Any:  # noqa: ANN401 (a column's value)
        """The column's value; None for keyed hashes, which say nothing, and for what is somebody else's."""
        value = self.row[column.name]
        if value is None or (self.table.name, column.name) in _LEFT_OUT:
            return None
        if not isinstance(column.type, Sealed):
            return None if isinstance(column.type, LargeBinary) else value
        subject = self._subject(column.name)
        if subject is None:
            return None
        place = getattr(model_of(self.table), column.name)
        return self.privacy.sealer.open(subject, place, self.row["id"], value)

    def _subject(self, column: str) -> SubjectId | None:
        """Whose key seals the column, None for another person's."""
        if (self.table.name, column) in _OF_WORKSPACE:
            return self.workspace_id
        named = SEALED_BY_MENTION.get((self.table.name, column), "user_id")
        owner = self.row[named]
        return UserId(owner) if owner in self.person else None


def _plain(value: Any, place: str, files: dict[str, bytes]) -> Any:  # noqa: ANN401 (whatever JSON takes)
    if isinstance(value, bytes):
        return _text(value, place, files)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _text(value: bytes, place: str, files: dict[str, bytes]) -> Any:  # noqa: ANN401 (whatever JSON takes)
    """Text as it is, anything else as a file of its own."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        files[f"files/{place}"] = value
        return {"file": f"files/{place}"}


def _of_json(value: bytes) -> Any:  # noqa: ANN401 (whatever JSON takes)
    """What the JSON holds; the text of what is none, or nested without end."""
    text = value.decode(errors="replace")
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if _is_deep(held) else held


def _is_deep(held: Any) -> bool:  # noqa: ANN401 (whatever JSON takes)
    level = [held]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _zipped(told: dict[str, Any], files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.json", json.dumps(told, indent=2, ensure_ascii=False).encode("utf-8", "replace"))
        archive.writestr("export.html", _page(told).encode("utf-8", "replace"))
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def _page(told: Mapping[str, Any]) -> str:
    """The same for reading. Everything in it is text: what a person wrote must not become markup."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>What is held about you</title>",
        f"<style>{_STYLE}</style><h1>What is held about you</h1><p>Made at {html.escape(told['made_at'])}.</p>",
    ]
    for name, rows in told["tables"].items():
        if rows:
            parts.append(f"<h2>{html.escape(name.replace('_', ' '))} ({len(rows)})</h2>")
            parts += [_as_table(row) for row in rows]
    return "\n".join(parts)


def _as_table(row: Mapping[str, Any]) -> str:
    lines = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th><td>{html.escape(_shown(value))}</td></tr>"
        for name, value in row.items()
    )
    return f"<table>{lines}</table><hr>"


def _shown(value: Any) -> str:  # noqa: ANN401 (whatever JSON takes)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
