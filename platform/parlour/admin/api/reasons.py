"""Why something is done, as requests give it."""

from typing import Annotated

from pydantic import ConfigDict, Field

from parlour.admin.api.resource import Body
from parlour.privacy.audit import LONGEST_REASON

# For what is done without one too.
Reason = Annotated[str | None, Field(max_length=LONGEST_REASON, description="Why; it stands in the audit log, sealed.")]


class Why(Body):
    """The reason for something that is written down."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "She asked for it by letter."}})

    reason: Reason = None


def reason_of(why: Why | None) -> str | None:
    """The reason in a body that may be left out."""
    return None if why is None else why.reason
