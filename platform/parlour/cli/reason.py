"""Why something is done, as commands take it."""

from typing import Annotated

import typer

from parlour.privacy.audit import LONGEST_REASON


def _fits(reason: str | None) -> str | None:
    """The reason as it was typed. Raises `typer.BadParameter`."""
    if reason is not None and len(reason) > LONGEST_REASON:
        raise typer.BadParameter(f"{len(reason):,} characters are too many. Give at most {LONGEST_REASON:,}.")
    return reason


# For what is done without one too.
Reason = Annotated[str | None, typer.Option(callback=_fits, help="Why; it stands in the audit log, sealed.")]
# For what is not.
NeededReason = Annotated[str, typer.Option(callback=_fits, help="Why; kept sealed.")]
