"""`parlour skill`: write skills, check them, install them, set them, take them out."""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, printable, show_json, show_rows, warn
from parlour.cli.storage import Storage, open_storage
from parlour.cli.turn import turn_id_of
from parlour.people.accounts import AccountBook
from parlour.sdk.capabilities import MEANINGS
from parlour.sdk.manifest import Manifest
from parlour.sdk.replies import Reply, as_markdown
from parlour.sdk.schema import names_folders, names_hosts
from parlour.skills import authoring
from parlour.skills.environment import Environments
from parlour.skills.inbox import OnProgress, Report, open_inbox
from parlour.skills.installing import Offer
from parlour.skills.jobs import JobBook, JobView
from parlour.skills.room import OFFERED
from parlour.skills.routing import explain
from parlour.skills.service import SkillBook
from parlour.skills.views import SkillView
from parlour.store.ids import ConversationId
from parlour.turns.operating import NoSuchTurn, route_of

app = typer.Typer(no_args_is_help=True, help="Write, check, install, set and remove skills.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The skill's name, from: parlour skill list")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder, a wheel, an sdist, https://….whl#sha256=…, git+https://…@REF, or NAME==VERSION.",
    ),
]
OtherSource = Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="By default where it came from.")]
OneSkill = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One skill's alone.")]


class Channel(StrEnum):
    """Where people talk."""

    SLACK = "slack"
    TELEGRAM = "telegram"
    WEB = "web"
    TERMINAL = "terminal"


InChannel = Annotated[Channel | None, typer.Option("--channel", help="Only there.")]
InConversation = Annotated[
    UUID | None, typer.Option("--conversation", metavar="ID", help="Only there; from: parlour turn show TURN")
]
_ROWS_SHOWN: Final = 5
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The skill's folder, with its pyproject.toml.")]


@app.command("new", epilog="Example: parlour skill new greenhouse")
def new(
    name: Annotated[str, typer.Argument(help="Lower-case words with hyphens.")],
    *,
    into: Annotated[Path, typer.Option(help="The folder to make its folder in.")] = Path(),
) -> None:
    """Begin a skill: one that works, with a test, settings and a README."""
    try:
        written = authoring.new_skill(into, name)
    except OSError as error:
        raise Refused(f"{into / name} cannot be made ({error.strerror}). Name another folder with --into.") from None
    for path in written:
        typer.echo(path)
    typer.echo(f"Try it: parlour skill check {into / name}")


@app.command("check", epilog="Example: parlour skill check --freeze ./greenhouse")
def check(
    folder: Folder,
    *,
    freeze: Annotated[bool, typer.Option("--freeze", help="Write the manifest that the code amounts to.")] = False,
) -> None:
    """Find what would fail when it is installed, with file and line. Runs the skill's module on this machine."""
    found = authoring.check(folder, is_freezing=freeze)
    for problem in found.problems:
        typer.echo(printable(problem))
    if found.problems or found.manifest is None:
        raise Refused(f"{len(found.problems)} problem{'s' * (len(found.problems) != 1)} in {folder}.")
    _show(found.manifest)
    typer.echo(f"{found.file} is what the code says. Nothing is wrong.")


@app.command("install", epilog="Example: parlour skill install ./greenhouse --yes")
def install(
    source: Source,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Grant all that the manifest asks for.")] = False,
) -> None:
    """Show what a skill asks for, grant it, install it. Nothing of it runs before that."""
    with _book() as (_, book):
        offer = book.offer_new(source)
        _show(offer.manifest)
        _listed("shares a command", map(str, offer.clashes))
        _ask(offer, is_granted=yes)
        skill = book.install(offer, granted=offer.new_grants)
        missing = book.missing_settings(skill)
    typer.echo(f"{skill.name} {skill.version} is installed.")
    if missing:
        typer.echo(f"It needs settings first: parlour skill configure {skill.name} {missing[0]}=…")


@app.command("upgrade", epilog="Example: parlour skill upgrade greenhouse ./greenhouse --dry-run")
def upgrade(
    name: Name,
    source: OtherSource = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build it and start it once, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Grant what the new version asks for beyond the old one.")] = False,
) -> None:
    """Put another version in a skill's place: tried first, and asked again where it wants more.

    A version that does not come up changes nothing; settings, grants and what is stored stay.
    """
    with _book() as (_, book):
        offer = book.offer_upgrade(name, source)
        before = offer.before.version if offer.before else "one that cannot be read"
        _show(offer.manifest)
        _listed("shares a command", map(str, offer.clashes))
        typer.echo(f"{name}: {before} to {offer.manifest.version}; new grants: {_words(offer.new_grants)}.")
        if dry_run:
            book.try_out(offer)
            typer.echo("It comes up. Nothing was changed.")
            return
        _ask(offer, is_granted=yes)
        skill = book.install(offer, granted=offer.new_grants)
        missing = book.missing_settings(skill)
    typer.echo(f"{skill.name} {skill.version} is installed.")
    if missing:
        typer.echo(f"It needs settings first: parlour skill configure {skill.name} {missing[0]}=…")


def _words(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


@app.command("list", epilog="Example: parlour skill list --json")
def list_skills(*, as_json: JsonFlag = False) -> None:
    """List installed skills."""
    with _book() as (_, book):
        rows = [_row(skill) for skill in book.installed()]
        for name, reason in book.unreadable().items():
            remedy = (
                f"Upgrade it: parlour skill upgrade {name} SOURCE, or take it out: parlour skill remove {name} --yes"
            )
            warn(printable(f"{name} is installed and cannot be read: {reason} {remedy}"))
    show_rows(rows, as_json=as_json, empty="None yet. Begin one with: parlour skill new NAME")


@app.command("info", epilog="Example: parlour skill info greenhouse")
def info(name: Name, *, as_json: JsonFlag = False) -> None:
    """Show what a skill is, may do, and how it is set. Secrets are not shown."""
    with _book() as (storage, book):
        skill = book.get(name)
        settings, shared = book.settings(skill), book.clashes(skill)
        found = JobBook(storage.database, owner="cli").all(book.workspace_id, name)
    if as_json:
        show_json({**_row(skill), "hosts": skill.hosts, "keeps": skill.manifest.keeps, "settings": settings,
                   "schema": skill.manifest.settings, "source": skill.source,
                   "clashes": [asdict(one) for one in shared],
                   "scopes": [asdict(scope) for scope in skill.scopes],
                   "jobs": [asdict(job) for job in found]})  # fmt: skip
        return
    _show(skill.manifest)
    _listed("shares a command", map(str, shared))
    rows = [{"setting": key, "value": json.dumps(value)} for key, value in settings.items()]
    show_rows(rows, as_json=False, empty="It has no settings.")
    if found:
        show_rows([_job_row(job) for job in found], as_json=False)
    typer.echo(f"It is {skill.state}; installed {skill.installed_at:%Y-%m-%d %H:%M} UTC.")
    for scope in skill.scopes:
        where = scope.channel or f"the conversation {scope.conversation_id}"
        typer.echo(f"It is {'enabled' if scope.is_enabled else 'disabled'} in {where}.")


@app.command("enable", epilog="Example: parlour skill enable greenhouse --channel telegram")
def enable(name: Name, *, channel: InChannel = None, conversation: InConversation = None) -> None:
    """Let a skill be called: everywhere, or where you say. A conversation's word goes before its channel's."""
    _set_enabled(name, channel, conversation, is_enabled=True)


@app.command("disable", epilog="Example: parlour skill disable greenhouse --channel slack")
def disable(name: Name, *, channel: InChannel = None, conversation: InConversation = None) -> None:
    """Keep a skill from being called, everywhere or where you say; it stays installed, and so does what it stores."""
    _set_enabled(name, channel, conversation, is_enabled=False)


def _set_enabled(name: str, channel: Channel | None, conversation: UUID | None, *, is_enabled: bool) -> None:
    if channel is not None and conversation is not None:
        raise typer.BadParameter("Give --channel or --conversation, not both: a conversation is in one channel.")
    where = "" if channel is None else f" in {channel.value}"
    if conversation is not None:
        where = f" in the conversation {conversation}"
    with _book() as (_, book):
        book.enable(
            name,
            is_enabled=is_enabled,
            channel=None if channel is None else channel.value,
            conversation_id=None if conversation is None else ConversationId(conversation),
        )
    typer.echo(f"{name} is {'enabled' if is_enabled else 'disabled'}{where}.")


@app.command("jobs", epilog="Example: parlour skill jobs --json")
def jobs(name: OneSkill = None, *, as_json: JsonFlag = False) -> None:
    """List what skills do by themselves: when each is due, and how its last run went."""
    with _book() as (storage, book):
        if name is not None:
            book.get(name)
        found = JobBook(storage.database, owner="cli").all(book.workspace_id, name)
    rows = [asdict(one) if as_json else _job_row(one) for one in found]
    show_rows(rows, as_json=as_json, empty="No skill does anything by itself.")


def _job_row(job: JobView) -> dict[str, Any]:
    last = "never" if job.finished_at is None else f"{job.outcome} {job.finished_at:%Y-%m-%d %H:%M:%S}"
    return {
        "skill": job.skill,
        "job": job.name,
        "schedule": job.schedule,
        "next": "running" if job.is_running else f"{job.due_at:%Y-%m-%d %H:%M:%S}",
        "last run": last if job.error is None else f"{last} ({job.error})",
        "runs": job.runs,
    }


@app.command("configure", epilog="Example: parlour skill configure greenhouse litres=3 api_key=@/run/secrets/key")
def configure(
    name: Name,
    values: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE…", help="KEY= takes it back to its default; KEY=@FILE reads it from there."),
    ],
) -> None:
    """Set a skill; values are JSON, or plain text where the setting is a text."""
    with _book() as (_, book):
        properties: dict[str, Any] = book.get(name).manifest.settings.get("properties", {})
        book.configure(name, dict(_value(one, properties) for one in values))
    typer.echo(f"{name} is set.")


@app.command("import", epilog="Example: parlour skill import recommendation catalogue ./items.csv")
def import_file(
    name: Name,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What the file holds, from: parlour skill info NAME")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to hand in.")],
) -> None:
    """Hand a file to a skill: a catalogue, past dialogues, whatever it takes in. Fails where it keeps nothing of it."""
    with (
        _book() as (storage, book),
        closing(
            open_inbox(database=storage.database, privacy=storage.privacy, retention=storage.retention, book=book)
        ) as inbox,
        _progress(file) as on_progress,
    ):
        report = _say_all(inbox.take_in(book.workspace_id, name, what, file, on_progress=on_progress))
    if report is not None and report.kept == 0:
        raise Refused(printable(_nothing_kept(file, report)))


def _say_all(replies: Generator[Reply, None, Report | None]) -> Report | None:
    """Print what the skill answers, as it comes; what it reports at last."""
    while True:
        try:
            typer.echo(printable(as_markdown(next(replies))))
        except StopIteration as end:
            report: Report | None = end.value
            return report


def _nothing_kept(file: Path, report: Report) -> str:
    """Why, by the first rows."""
    if not report.refused:
        return f"Nothing of {file} was kept."
    shown = [f"row {number} {word.rstrip('.')}" for number, word in list(report.rows.items())[:_ROWS_SHOWN]]
    more = "; and more" if report.refused > len(shown) and shown else ""
    first = f": {'; '.join(shown)}{more}" if shown else ""
    rows = "row was" if report.refused == 1 else "rows were"
    return f"Nothing of {file} was kept: {report.refused:,} {rows} refused{first}. Mend the file and hand it in again."


@app.command("remove", epilog="Example: parlour skill remove greenhouse --with-data --yes")
def remove(
    name: Name,
    *,
    with_data: Annotated[bool, typer.Option("--with-data", help="Delete its settings and documents too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a skill out. What it stored stays, for when it is installed again, unless you say otherwise."""
    with _book() as (_, book):
        question = f"Remove {name}" + (" and all that it stored?" if with_data else "? What it stored stays.")
        if not (yes or typer.confirm(question)):
            raise Refused(f"{name} stays.")
        book.remove(name, with_data=with_data)
    typer.echo(f"{name} is removed.")


@app.command("why", epilog="Example: parlour skill why 0198c1b2-7b3e-7c55-8a51-2f1d3a9e0c11")
def why(
    turn: Annotated[str, typer.Argument(metavar="TURN", help="The turn's id.")], *, as_json: JsonFlag = False
) -> None:  # fmt: skip
    """Tell which skill a turn was for, by which rule, with which scores. Nothing of what was said is kept for it."""
    with open_storage() as storage:
        try:
            found = route_of(storage.database, turn_id_of(turn))
        except NoSuchTurn as error:
            raise Refused(str(error)) from None
    if as_json:
        show_json(asdict(found))
        return
    for line in explain(found):
        typer.echo(line)


@contextmanager
def _book() -> Iterator[tuple[Storage, SkillBook]]:
    with open_storage() as storage:
        settings, clock = storage.settings, storage.database.clock
        accounts = AccountBook(
            database=storage.database, privacy=storage.privacy, clock=clock, workspace=settings.workspace
        )
        yield (
            storage,
            SkillBook(
                database=storage.database,
                privacy=storage.privacy,
                environments=Environments(settings.data_dir.resolve() / "skills"),
                workspace_id=accounts.ensure_workspace(),
                offered=OFFERED,
                actor=storage.actor(),
            ),
        )


@contextmanager
def _progress(file: Path) -> Iterator[OnProgress]:
    """A bar on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(printable(file.name), total=file.stat().st_size if file.is_file() else None)
        yield lambda done: bar.update(task, completed=done)


def _ask(offer: Offer, *, is_granted: bool) -> None:
    if not offer.new_grants:
        return
    if is_granted:
        typer.echo(f"Granted: {', '.join(offer.new_grants)}.")
    elif not typer.confirm("Grant this and install it?"):
        raise Refused(f"{offer.manifest.name} is not installed.")


def _show(manifest: Manifest) -> None:
    """What an operator reads before it is installed. It comes from a stranger: nothing of it moves the cursor."""
    typer.echo(
        printable(f"{manifest.name} {manifest.version}: {manifest.description} {manifest.description_zh}".strip())
    )
    for name in manifest.to_grant:
        typer.echo(f"  may {MEANINGS[name][0]} ({name})")
    _listed("hosts", [*manifest.hosts, *(f"those that you set in {name}" for name in names_hosts(manifest.settings))])
    _listed("reads", [f"the folder that you name in {name}" for name in names_folders(manifest.settings)])
    _listed("asks the skill", manifest.asks)
    _listed("keeps", [f"{kind}: {why}" for kind, why in manifest.keeps.items()])
    _listed("commands", [f"/{one.name}: {one.about}" for one in manifest.of_kind("command")])
    _listed("answers", [example for one in manifest.of_kind("answers") for example in one.examples])
    _listed("runs by itself", [f"{one.name}: {one.schedule}" for one in manifest.of_kind("job")])
    _listed("takes in", [f"{one.name}: {one.about}" for one in manifest.of_kind("import")])
    _listed("is told", [f"{one.name}: {one.about}" for one in manifest.of_kind("event")])
    if manifest.of_kind("erased"):
        _listed("is told", ["who was erased, by the name that it knows them by"])
    _listed("offers other skills", [f"{one.name}: {one.about}" for one in manifest.of_kind("offer")])
    _listed("tools for the model", [one.name for one in manifest.of_kind("tool")])


def _listed(title: str, lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(printable(f"  {title}: {line}".replace("\n", " ")))


def _row(skill: SkillView) -> dict[str, Any]:
    return {
        "name": skill.name,
        "version": skill.version,
        "state": skill.state,
        "may": ", ".join(sorted(skill.grants)),
        "description": skill.manifest.description,
    }


def _value(text: str, properties: dict[str, Any]) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE.")
    if not value:
        return name, None
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError):
            raise Refused(f"{name}: the file {value[1:]} cannot be read as text.") from None
    if properties.get(name, {}).get("type") == "string":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
