"""Why something is done, as commands take it."""

from typing import Annotated

import typer

# For what is done without one too; what needs one says so itself.
Reason = Annotated[str | None, typer.Option(help="Why; it stands in the audit log, sealed.")]
