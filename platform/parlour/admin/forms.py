"""What pages' forms send: read, checked to come from a page of ours, and taken apart."""

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException
from starlette.requests import Request

from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.rights import Right
from parlour.origin import is_same_origin
from parlour.privacy.audit import LONGEST_REASON

CSRF_FIELD: Final = "csrf"
_MOST_FIELDS: Final = 200


@dataclass(frozen=True, slots=True)
class Posted:
    """A form that the operator sent from one of our pages."""

    operator: Operator
    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        """The field, empty where it was left out."""
        return self.fields.get(name, "")

    @property
    def reason(self) -> str | None:
        """Why, where they said so."""
        return self["reason"].strip()[:LONGEST_REASON] or None


async def read_fields(request: Request) -> dict[str, str]:
    """The fields of a plain form; of a field that comes several times the last one. No files."""
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from None


Fields = Annotated[dict[str, str], Depends(read_fields)]


def posted(right: Right) -> Any:  # noqa: ANN401 (as FastAPI's own `Depends`)
    """What an endpoint asks for a form with: an annotation of `Posted`, with the right in brackets.

    The operator has the right, the form came from a page of ours and holds the session's own token; else 403.
    """

    # The operator comes first: nothing that a stranger sends is read.
    def form(request: Request, operator: Annotated[Operator, needs(right)], fields: Fields) -> Posted:
        refuse_strangers(request)
        if not hmac.compare_digest(fields.pop(CSRF_FIELD, "").encode(), csrf_token(request, operator).encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        return Posted(operator, fields)

    return Depends(form)


def csrf_token(request: Request, operator: Operator) -> str:
    """What every form of this session holds, and no other site can know."""
    return platform_of(request).lookup.hash("csrf", str(operator.session_id)).hex()


def refuse_strangers(request: Request) -> None:
    """403 for a form that another site's page sent, by what browsers say and pages cannot forge."""
    if not is_same_origin(request.headers):
        raise HTTPException(HTTPStatus.FORBIDDEN)
