"""What the chat page sends: its fields, read from JSON or from a plain form."""

import json
from typing import Annotated, Literal
from urllib.parse import parse_qsl
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from parlour.channels.typed import CLIENT_ID


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class FileField(_Fields):
    """A file in base64, as a browser's script sends it."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    type: Annotated[str, Field(max_length=127)] = ""
    data: str


class MessageForm(_Fields):
    """A message. `id` is the browser's own: the same again makes no second turn."""

    id: Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$")]
    text: str = ""
    files: Annotated[tuple[FileField, ...], Field(max_length=10)] = ()


class RatingForm(_Fields):
    """A thumb under the answer of a turn."""

    turn: UUID
    value: Literal["up", "down"]


class StopForm(_Fields):
    """The wish that an answer stops: of one turn, or whichever runs."""

    turn: UUID | None = None


async def fields_of(request: Request) -> object:
    """A request's fields, from JSON or a plain form. Raises `ValueError`.

    Forms with files are not read: their parser would put them on the disk in plaintext.
    """
    body = await request.body()
    if is_json(request):
        return _from_json(body)
    return {name: value for name, value in parse_qsl(body.decode("utf-8"), max_num_fields=20) if value}


def _from_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("The body is nested far too deeply.") from None


def is_json(request: Request) -> bool:
    """Whether the page's script sent it, and wants JSON back."""
    return request.headers.get("content-type", "").startswith("application/json")
