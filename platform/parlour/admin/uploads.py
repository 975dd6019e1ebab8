"""Files that pages' forms send: read in memory, checked like every other form."""

import hmac
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from starlette.requests import Request

from parlour.admin.forms import CSRF_FIELD, csrf_token, refuse_strangers
from parlour.admin.guard import Operator, needs
from parlour.admin.rights import Right
from parlour.bootstrap import Platform
from parlour.skills.handing_in import Counter

_MOST_PARTS = 20


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A form with one file; `name` is what its sender calls it, empty where none was chosen."""

    operator: Operator
    name: str
    content: bytes


async def read_parts(request: Request) -> dict[str, tuple[str, bytes]]:
    """A multipart form's parts by field: the file's name, and what is in it.

    The application bounds the body; nothing is written to the disk.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + await request.body())
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if len(parts) > _MOST_PARTS:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY)
    found = {}
    for part in parts:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        found[str(name)] = (part.get_filename() or "", content if isinstance(content, bytes) else b"")
    return found


Parts = Annotated[dict[str, tuple[str, bytes]], Depends(read_parts)]


def counter_of(platform: Platform) -> Counter:
    """Where skills are handed in."""
    return Counter(platform.settings.data_dir.resolve() / "skills-uploaded")


def uploaded(right: Right) -> Any:  # noqa: ANN401 (as FastAPI's own `Depends`)
    """What an endpoint asks for a form with a file in its field `file` with; refused as `forms.posted` refuses."""

    # The operator comes first: nothing that a stranger sends is read.
    def form(request: Request, operator: Annotated[Operator, needs(right)], parts: Parts) -> Uploaded:
        refuse_strangers(request)
        _, token = parts.get(CSRF_FIELD, ("", b""))
        if not hmac.compare_digest(token, csrf_token(request, operator).encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        name, content = parts.get("file", ("", b""))
        return Uploaded(operator, name, content)

    return Depends(form)
