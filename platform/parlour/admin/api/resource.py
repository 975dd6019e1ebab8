"""How the API's endpoints are declared."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from parlour.admin.api.endpoint import Endpoint
from parlour.admin.api.problems import declared


def resource(*more: HTTPStatus) -> APIRouter:
    """A router whose every endpoint names its right, heeds idempotency keys, and declares its errors, `more` too."""
    return APIRouter(route_class=Endpoint, responses=declared(*more))


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("This is no time in UTC: the years there go from 1 to 9999.") from None


# A time with its zone, in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


# A person in a messenger, as in `telegram:12345`.
HANDLE: Final = r"^[a-z]+:.+$"


class Body(BaseModel):
    """A request's body; a misspelt name is an error, not silently left out."""

    model_config = ConfigDict(extra="forbid")
