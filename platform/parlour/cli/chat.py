"""`parlour chat`: talk to the assistant in this terminal."""

import contextlib
import getpass
import io
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from anyio.from_thread import start_blocking_portal

from parlour import logs
from parlour.channels.mailbox import Draft
from parlour.channels.talk import Talk
from parlour.channels.terminal_remote import RemoteTalk
from parlour.cli.errors import Refused
from parlour.cli.saving import SAVE, Files
from parlour.cli.screen import Screen
from parlour.cli.talking import Asked, NoAnswer, Talking, closing
from parlour.processes.note import running_at
from parlour.settings import Settings, load
from parlour.turns.said import Said

app = typer.Typer(help="Talk to the assistant in this terminal.")

_HISTORY = 6
_PROBE_S = 2.0
_LEAVE = {"/quit", "/exit", "/q"}


@app.command(epilog='Example: parlour chat --once "What is the capital of France?"')
def chat(
    *,
    once: Annotated[str | None, typer.Option(help="Answer this one message, then leave.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Start afresh: nothing said before is looked at.")] = False,
    wait: Annotated[
        float, typer.Option(min=1, help="Seconds without anything new after which nobody seems to answer.")
    ] = 300,
    files: Annotated[Path | None, typer.Option(help="Write files of answers into this folder as they come.")] = None,
) -> None:
    """Talk to the assistant in this terminal. The conversation is kept from one time to the next.

    /help tells what else works, /save 1 writes a file of an answer here, Ctrl-C stops an answer and then leaves, /quit
    leaves. With input or output piped, each line is one message and answers are plain text.
    """
    settings = load()
    if files is not None and not files.is_dir():
        raise typer.BadParameter(f"--files: {files} is no folder. Name one that exists.")
    if not once and once is not None:
        raise typer.BadParameter("--once: is empty. Give it the message to answer.")
    logs.set_up(level="error", style=settings.log.format)
    if isinstance(sys.stdin, io.TextIOWrapper):
        # What is piped in may be in any encoding; a message is better read in part than not at all.
        sys.stdin.reconfigure(errors="replace")
    screen = Screen()
    with _talking(settings, screen) as talking:
        kept = Files(talking, files)
        screen.in_words = kept.in_words
        if new:
            _say_aside(talking, "/new")
        if once is not None:
            _answer_one(talking, screen, once, wait_s=wait)
        else:
            _converse(talking, screen, kept, wait_s=wait)


# ---- one message, or many ---------------------------------------------------------------------------------------


def _answer_one(talking: Talking, screen: Screen, text: str, *, wait_s: float) -> None:
    """Answer and leave. Raises `Refused` with the assistant's own words when it only gave notice."""
    is_command = text.lstrip().startswith("/")
    notices = []
    is_answered = False
    try:
        for event in talking.ask(text, within_s=wait_s):
            if isinstance(event, Draft):
                screen.draft(event.text)
            elif event.author == "assistant" or is_command:
                is_answered = True
                screen.said(event)
            else:
                notices.append(event.text)
    except NoAnswer as reason:
        raise Refused(str(reason)) from None
    except KeyboardInterrupt:
        talking.stop()
        raise Refused("Stopped.") from None
    finally:
        screen.clear_draft()
    if not is_answered:
        raise Refused(" ".join(notices) or "Nothing came of it: the message was empty, or its answer was stopped.")


def _converse(talking: Talking, screen: Screen, files: Files, *, wait_s: float) -> None:
    """Prompt, answer, until the input ends."""
    if screen.is_terminal:
        for said in talking.history(_HISTORY):
            screen.said(said)
        screen.hint("Write a message; /help for commands, /quit or Ctrl-D to leave.")
    for text in _typed(screen):
        if text.split()[0].lower() == SAVE:
            screen.plain(files.save(text.strip()[len(SAVE) :]))
            continue
        _answer(talking, screen, text, wait_s=wait_s)


def _answer(talking: Talking, screen: Screen, text: str, *, wait_s: float) -> None:
    """Show what comes of one message. The first Ctrl-C stops the answer, a second one leaves."""
    is_stopped = False
    asked: Asked | None = None
    while True:
        try:
            asked = asked or talking.ask(text, within_s=wait_s)
            for event in asked:
                _show(screen, event)
        except KeyboardInterrupt:
            if is_stopped or asked is None:
                raise
            is_stopped = True
            talking.stop()
            continue
        except NoAnswer as reason:
            print(reason, file=sys.stderr)  # noqa: T201 (the program's word, beside the conversation)
        finally:
            screen.clear_draft()
        return


def _show(screen: Screen, event: Draft | Said) -> None:
    if isinstance(event, Draft):
        screen.draft(event.text)
    else:
        screen.said(event)


def _typed(screen: Screen) -> Iterator[str]:
    """What the person types, line by line. At an empty prompt Ctrl-C leaves, as Ctrl-D does."""
    prompt = "> " if screen.is_terminal and sys.stdin.isatty() else ""
    if sys.stdin.isatty():
        # Line editing and this session's history, by its import alone; not there in every Python.
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415
    while True:
        try:
            text = input(prompt).encode("utf-8", "replace").decode("utf-8")
        except (EOFError, KeyboardInterrupt):
            screen.hint("")
            return
        if text.strip().lower() in _LEAVE:
            return
        if text.strip():
            yield text


def _say_aside(talking: Talking, command: str) -> None:
    """Give a command whose reply nobody needs to see."""
    for _ in talking.ask(command, within_s=_PROBE_S * 15):
        pass


# ---- with whom --------------------------------------------------------------------------------------------------


@contextmanager
def _talking(settings: Settings, screen: Screen) -> Iterator[Talking]:
    """The conversation, followed in a loop of its own while the person types in this thread."""
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        talk = stack.enter_context(portal.wrap_async_context_manager(_talk(settings, screen, stack)))
        yield stack.enter_context(closing(Talking(talk, portal)))


def _talk(settings: Settings, screen: Screen, stack: contextlib.ExitStack) -> AbstractAsyncContextManager[Talk]:
    """With the `parlour up` that has this data folder, else by what `stack` then holds of our own."""
    at = _alive(settings)
    if at is not None:
        return RemoteTalk(*at, _user())
    # Loaded here: database, broker and engine are for who answers himself, and cost seconds.
    from parlour.cli.own_talk import own_talk  # noqa: PLC0415

    if settings.is_embedded:
        screen.hint("Starting, since nothing runs on this data folder yet.")
    return stack.enter_context(own_talk(settings, _user()))


def _alive(settings: Settings) -> tuple[str, str] | None:
    """Where `parlour up` answers on this data folder and its token; None when it does not, whatever it left behind."""
    at = running_at(settings)
    if at is None:
        return None
    try:
        httpx.get(f"{at[0]}/healthz", timeout=_PROBE_S, trust_env=False)
    except httpx.ReadTimeout:
        # It took the connection: it is there and busy, and nobody else may open its folder.
        return at
    except httpx.HTTPError:
        return None
    return at


def _user() -> str:
    """The operating system's name for who sits here."""
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError, ImportError):
        # A container may run under a number that no file names.
        return "unknown"
