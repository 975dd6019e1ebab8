"""How the API's endpoints are declared."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from parlour.admin.api.endpoint import Endpoint
from parlour.admin.api.problems import declared


def resource(*more: HTTPStatus) -> APIRouter:
    """A router whose every endpoint names its right, heeds idempotency keys, and declares its errors, `more` too."""
    return APIRouter(route_class=Endpoint, responses=declared(*more))


class Body(BaseModel):
    """A request's body; a misspelt name is an error, not silently left out."""

    model_config = ConfigDict(extra="forbid")
