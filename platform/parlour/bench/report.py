"""What a benchmark tells: tables for people, JSON for comparing later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from parlour.bench.machine import in_words, machine

Row = Mapping[str, Any]


@dataclass(slots=True)
class Report:
    """One benchmark's figures, its machine and its options."""

    name: str
    options: Mapping[str, Any]
    machine: dict[str, Any] = field(default_factory=machine)
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, row: Row) -> None:
        """Put a row under the others of its table."""
        self.tables.setdefault(table, []).append(row)

    def show(self, console: Console) -> None:
        """Print every table and the machine."""
        for title, rows in self.tables.items():
            console.print(_table(title, rows))
        console.print(in_words(self.machine), style="dim", highlight=False)

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        told = {
            "benchmark": self.name,
            "started_at": self.started_at,
            "machine": self.machine,
            "options": dict(self.options),
            "tables": {title: [dict(row) for row in rows] for title, rows in self.tables.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=2, default=str) + "\n", encoding="utf-8")


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for head in rows[0]:
        table.add_column(head.replace("_", " "), justify="right" if _is_number(rows, head) else "left")
    for row in rows:
        table.add_row(*(_cell(row.get(head)) for head in rows[0]))
    return table


def _is_number(rows: Sequence[Row], head: str) -> bool:
    return all(isinstance(row.get(head), int | float | None) for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 1 else f"{value:,.1f}"
    return str(value)
