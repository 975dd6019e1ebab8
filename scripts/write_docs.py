"""Writes the pages of docs/ that are tables of what stands in the code: settings, commands, metrics, capabilities.

    python -m scripts.write_docs

A test fails when a page is stale.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from typer.core import TyperGroup

from parlour.cli.main import app
from parlour.sections import Section
from parlour.settings import PREFIX, Settings
from parlour.store.models import Base
from parlour.turns.metrics import BacklogCollector, Metrics
from scripts.write_sdk_docs import capability_pages

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def main() -> None:
    """Write every generated page."""
    DOCS.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(page(), encoding="utf-8")


# ---- settings ---------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Every setting with its default and what it means."""
    parts = [
        NOTE,
        "# Settings",
        cleandoc(
            f"""
            Settings stand in `parlour.toml` in the working directory (`{PREFIX}CONFIG` names another file) and in the
            environment, which wins. The variable is `{PREFIX}<SECTION>__<KEY>`; for secrets, `…_FILE` names a file that
            holds the value instead. Lists and tables are JSON in the environment. A setting that does not exist, or
            contradicts another, stops the process at start with one line that names it.

            ```toml
            [engine]
            kind = "openai"
            base_url = "http://127.0.0.1:8000/v1"

            [telegram]
            mode = "polling"
            ```

            ```console
            $ export {PREFIX}TELEGRAM__TOKEN_FILE=/run/secrets/telegram-token
            ```
            """
        ),
        "## General",
        _fields(Settings, ()),
    ]
    for name, info in Settings.model_fields.items():
        if (section := _section(info)) is not None:
            parts += [f"## `[{name}]`", cleandoc(section.__doc__ or ""), _fields(section, (name,))]
    return "\n\n".join(parts) + "\n"


def settings_names() -> Iterator[str]:
    """The variable of every setting."""
    for name, info in Settings.model_fields.items():
        if (section := _section(info)) is None:
            yield f"{PREFIX}{name}".upper()
        else:
            yield from (f"{PREFIX}{name}__{key}".upper() for key in section.model_fields)


def _fields(model: type[BaseModel], path: tuple[str, ...]) -> str:
    rows = [
        (_variable(*path, name), _values(info), _default(info), info.description or "")
        for name, info in model.model_fields.items()
        if _section(info) is None
    ]
    return _table(("variable", "values", "default", "meaning"), rows)


def _section(info: FieldInfo) -> type[Section] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _variable(*path: str) -> str:
    return f"`{PREFIX}{'__'.join(path).upper()}`"


def _values(info: FieldInfo) -> str:
    kind = info.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    named: Mapping[Any, str] = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "`true`, `false`",
        Path: "path",
        SecretStr: "secret",
    }
    options = [named[option] for option in (kind, *get_args(kind)) if option in named]
    if get_origin(kind) in {tuple, dict}:
        return "list" if get_origin(kind) is tuple else "table"
    return options[0]


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in ("", (), None) or value == {}:
        return ""
    return f"`{json.dumps(value) if isinstance(value, bool | tuple) else value}`"


# ---- commands ---------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its options and examples."""
    intro = (
        "Exit codes: 0 done, 1 refused or failed (with one line on stderr), 2 wrong usage. "
        "Commands that list something print JSON with `--json`."
    )
    parts = [NOTE, "# Commands", intro]
    parts += [_command_part(path, command) for path, command in commands()]
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the tree that does something itself, with its full name, in the order of the help page."""
    root = typer.main.get_command(app)
    yield from _walk("parlour", root)


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (typer's vendored click has no public types)
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    context = typer.Context(command, info_name=path)
    for name in command.list_commands(context):
        yield from _walk(f"{path} {name}", command.get_command(context, name))


def _command_part(path: str, command: Any) -> str:  # noqa: ANN401
    context = typer.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    about = cleandoc(command.help or "").replace("\b\n", "").replace("\b", "")
    rows = []
    for parameter in command.params:
        if parameter.name == "help" or getattr(parameter, "hidden", False):
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        rows.append((names, getattr(parameter, "help", None) or ""))
    parts = [f"## `{path}`", f"```\n{path} {usage}\n```", _fenced_examples(about)]
    if command.epilog:
        parts.append(_fenced_examples(cleandoc(command.epilog)))
    if rows:
        parts.append(_table(("option", "meaning"), rows))
    return "\n\n".join(parts)


def _fenced_examples(text: str) -> str:
    """Help text as Markdown: what follows a line `Example:` is a code block."""
    head, mark, tail = text.partition("Example")
    if not mark:
        return text
    label, _, lines = tail.partition(":")
    code = "\n".join(line.strip() for line in lines.strip().splitlines() if line.strip())
    return f"{head.rstrip()}\n\nExample{label}:\n\n```console\n{code}\n```".lstrip()


# ---- metrics ----------------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """Every metric with its kind, labels and meaning."""
    registry = CollectorRegistry()
    Metrics(registry)
    database = create_engine("sqlite://")
    Base.metadata.create_all(database)
    registry.register(BacklogCollector(lambda: Session(database), _NoClock()))
    rows = sorted((f"`{_exposed(family)}`", family.type, family.documentation) for family in registry.collect())
    intro = (
        "Served at `/metrics` by the gateway and `parlour up`, and by worker and scheduler on `PARLOUR_METRICS__PORT`. "
        "No label carries content or a person's id."
    )
    return "\n\n".join([NOTE, "# Metrics", intro, _table(("metric", "kind", "meaning"), rows)]) + "\n"


def _exposed(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


class _NoClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


# ---- Markdown ---------------------------------------------------------------------------------------------------


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_one_line(cell) for cell in line) + " |" for line in lines)


def _one_line(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    **capability_pages(),
}

if __name__ == "__main__":
    main()
