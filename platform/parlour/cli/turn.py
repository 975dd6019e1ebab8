"""`parlour turn`: look at turns by the id a user was told, try one again, drop one. Content is never shown."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from parlour.bootstrap import platform
from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.storage import operator_settings
from parlour.store.ids import TurnId
from parlour.turns import operating
from parlour.turns.operating import TurnView
from parlour.turns.ports import QueueUnavailable
from parlour.turns.states import TurnState

app = typer.Typer(no_args_is_help=True, help="Look at turns, try one again, drop one.")

Which = Annotated[str, typer.Argument(metavar="TURN", help="The id that the user was told, or one from the list.")]


@app.command("list", epilog="Example: parlour turn list --state failed")
def list_turns(
    *,
    state: Annotated[TurnState | None, typer.Option(help="Only in this state; else all open ones.")] = None,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only those that are older than they should be.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List turns that wait or run, those that wait longest first."""
    if stuck and state is not None:
        raise typer.BadParameter("give either --stuck or --state: what is stuck is queued or running")
    with platform(operator_settings(), may_create_keys=False) as parts:
        if stuck:
            found = operating.list_stuck(parts.database, limit=limit)
        else:
            found = operating.list_turns(parts.database, state=state.value if state else None, limit=limit)
    rows = [asdict(view) for view in found] if as_json else [_row(view) for view in found]
    empty = (
        f"No turn is {state.value}." if state else "No turn is stuck." if stuck else "No turn is waiting or running."
    )
    show_rows(rows, as_json=as_json, empty=empty)


@app.command("show", epilog="Example: parlour turn show 01a205dc-284c-76f5-b6ea-c4fcc0328c41")
def show_turn(which: Which, *, as_json: JsonFlag = False) -> None:
    """Show where one turn stands: states, times, who has it. Never what was said."""
    turn_id = turn_id_of(which)
    with platform(operator_settings(), may_create_keys=False) as parts:
        view = _found(lambda: operating.show_turn(parts.database, turn_id))
    if as_json:
        show_json(asdict(view))
    else:
        fields = asdict(view).items()
        show_rows([{"field": name, "value": _text(value)} for name, value in fields], as_json=False)


@app.command("retry", epilog="Example: parlour turn retry 01a205dc-284c-76f5-b6ea-c4fcc0328c41")
def retry_turn(which: Which) -> None:
    """Try a turn again that failed, was stopped or dropped; it keeps its place in its conversation."""
    turn_id = turn_id_of(which)
    with platform(operator_settings(), may_create_keys=False) as parts:
        following = _found(lambda: operating.retry_turn(parts.database, turn_id))
        try:
            parts.queue.publish(following)
        except QueueUnavailable:
            typer.echo("The broker is away; the scheduler publishes the turn when it is back.")
    typer.echo(f"Turn {turn_id} waits to be answered again.")


@app.command("drop", epilog="Example: parlour turn drop 01a205dc-284c-76f5-b6ea-c4fcc0328c41")
def drop_turn(which: Which) -> None:
    """End an open turn without an answer; its user is told, the next turn of the conversation goes on."""
    turn_id = turn_id_of(which)
    with platform(operator_settings(), may_create_keys=False) as parts:
        _found(lambda: operating.drop_turn(parts.database, parts.outbox, turn_id))
    typer.echo(f"Turn {turn_id} is dropped.")


def _found(use_case: Any) -> Any:  # noqa: ANN401 (what the use case returns)
    try:
        return use_case()
    except (operating.NoSuchTurn, operating.NotPossible) as error:
        raise Refused(str(error)) from None


def turn_id_of(text: str) -> TurnId:
    """The id that was typed. Raises `typer.BadParameter`."""
    try:
        return TurnId(UUID(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a turn's id. List open ones with: parlour turn list") from None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _row(view: TurnView) -> dict[str, Any]:
    return {
        "turn": str(view.id),
        "state": view.state,
        "channel": view.channel,
        "received": view.received_at.isoformat(timespec="seconds"),
        "attempts": view.attempts,
        "error": view.error or "",
        "delivery": view.delivery or "",
    }
