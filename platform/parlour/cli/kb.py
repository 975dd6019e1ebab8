"""`parlour kb`: put documents in, see them, search them, take them out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import select

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, printable, show_json, show_rows, warn
from parlour.cli.storage import open_storage
from parlour.people.states import Role
from parlour.store.ids import WorkspaceId
from parlour.store.models import Workspace

if TYPE_CHECKING:
    from parlour.knowledge.library import Report
    from parlour.knowledge.service import Knowledge

app = typer.Typer(no_args_is_help=True, help="Documents that the assistant answers from.")

_LIBRARIES = ("numpy", "rjieba", "snowballstemmer", "charset_normalizer")
_SHOWN_CHARS = 300

InWorkspace = Annotated[str | None, typer.Option("--workspace", help="Which workspace; the usual one if not given.")]


@app.command("add", epilog="Example: parlour kb add ./handbook --role member")
def add(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A document, a folder of them, or the address of a sitemap.")
    ],
    *,
    role: Annotated[
        Role, typer.Option("--role", help="The least one must be to find it: guest, member, auditor, admin or owner.")
    ] = Role.MEMBER,
    name: Annotated[str | None, typer.Option("--name", help="Its name; the file's or folder's if not given.")] = None,
    workspace: InWorkspace = None,
    as_json: JsonFlag = False,
) -> None:
    """Take in a document, a folder or a site: Markdown, text, HTML, PDF, Word, Excel, CSV, JSON lines of dialogues.

    Doing so again takes in what has changed and removes what has gone from the folder or site.
    """
    from parlour.knowledge.site import Site, is_site  # noqa: PLC0415 (see _opened)

    if name and is_site(source):
        raise typer.BadParameter("a site has its host's name. Leave --name out")
    if "://" in source and not is_site(source):
        kinds = "Give a file, a folder, or the address of a sitemap: https://… or http://…"
        raise typer.BadParameter(f"{source} is no address that documents are taken from. {kinds}")
    with _opened(workspace) as (knowledge, workspace_id), _progress() as on_progress:
        if is_site(source):
            with Site(source) as site:
                report = knowledge.library.add_site(workspace_id, site, least_role=role.value, on_progress=on_progress)
        else:
            path = Path(source)
            report = knowledge.library.add(
                workspace_id, path, least_role=role.value, name=name, on_progress=on_progress
            )
    if as_json:
        show_json(asdict(report))
    else:
        _show(report)
    if report.refused:
        count = len(report.refused)
        raise Refused(f"{count} document{'s' if count > 1 else ''} could not be taken in; the others were.")


@app.command("list", epilog="Example: parlour kb list --json")
def list_documents(*, workspace: InWorkspace = None, as_json: JsonFlag = False) -> None:
    """List the documents."""
    with _opened(workspace) as (knowledge, workspace_id):
        found = knowledge.library.every(workspace_id)
    rows = [asdict(view) for view in found] if as_json else [_row(asdict(view)) for view in found]
    show_rows(rows, as_json=as_json, empty="No documents yet. Put some in with: parlour kb add PATH")


@app.command("search", epilog='Example: parlour kb search "How long do I have to return goods?"')
def search(
    question: Annotated[str, typer.Argument(help="What a person would ask.")],
    *,
    role: Annotated[
        Role, typer.Option("--role", help="Search as a guest, member, auditor, admin or owner.")
    ] = Role.MEMBER,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many passages.")] = 5,
    workspace: InWorkspace = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the passages that would be found for a question."""
    from parlour.knowledge.access import Asker  # noqa: PLC0415 (see _opened)

    with _opened(workspace) as (knowledge, workspace_id):
        found = knowledge.search.find(Asker(workspace_id, role.value), question, limit=limit)
    if as_json:
        show_json([{**asdict(passage), "place": passage.place} for passage in found])
        return
    for number, passage in enumerate(found, start=1):
        nearness = f"  ({passage.similarity:.2f})" if passage.similarity is not None else ""
        origin = ", ".join(part for part in (passage.source, passage.place) if part)
        typer.echo(printable(f"[{number}] {origin}{nearness}\n{_shortened(passage.text)}\n"))
    if not found:
        typer.echo("Nothing found. See what there is with: parlour kb list")


@app.command("remove", epilog="Example: parlour kb remove handbook")
def remove(
    name: Annotated[str, typer.Argument(help="A document's name, or that of a folder that was taken in.")],
    *,
    workspace: InWorkspace = None,
) -> None:
    """Remove a document, or all that came with a folder."""
    with _opened(workspace) as (knowledge, workspace_id):
        names = knowledge.library.remove(workspace_id, name)
    for one in names:
        typer.echo(printable(f"{one} is removed."))


@contextmanager
def _opened(workspace: str | None) -> Iterator[tuple["Knowledge", WorkspaceId]]:
    missing = [one for one in _LIBRARIES if find_spec(one) is None]
    if missing:
        raise Refused(f"Knowledge needs {', '.join(missing)}. Install it with: pip install 'parlour[knowledge]'")
    from parlour.knowledge.service import EmbeddingServer, embedder_of, open_knowledge  # noqa: PLC0415 (its libraries are optional)

    with open_storage() as storage:
        name = workspace or storage.settings.workspace
        with storage.database.read() as session:
            found = session.scalar(select(Workspace.id).where(Workspace.name == name))
        if found is None:
            raise Refused(f"No workspace named {name!r}. The first start makes the usual one: parlour up")
        server = storage.settings.embedding_server
        embedder = embedder_of(EmbeddingServer(*server) if server else None)
        knowledge = open_knowledge(database=storage.database, privacy=storage.privacy, embedder=embedder)
        if knowledge.is_words_only:
            warn("Searching by words only, not by meaning: no model to embed with. See docs/knowledge.md")
        yield knowledge, WorkspaceId(found)


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on a terminal, nothing into a pipe."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")

        def on_progress(name: str, done: int, count: int) -> None:
            bar.update(task, description=printable(name), completed=done, total=count)

        yield on_progress


def _show(report: "Report") -> None:
    counts = {
        "added": len(report.added),
        "replaced": len(report.replaced),
        "unchanged": len(report.unchanged),
        "removed": len(report.removed),
        "refused": len(report.refused),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    typer.echo(f"{told or 'Nothing to do'}; {report.passages} passages.")
    for line in [*report.warnings, *report.refused]:
        warn(line)


def _row(view: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": view["name"],
        "format": view["format"],
        "for": view["least_role"],
        "passages": view["passages"],
        "model": view["embedder"] or "words only",
        "indexed": view["indexed_at"],
    }


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
