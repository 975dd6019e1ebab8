"""What holds for every endpoint: its right, its parameters, and that what is sent twice under one key is done once."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.api.authority import LONGEST_KEY, NeedsToChange, authenticate, right_of, shown_token
from parlour.admin.api.idempotency import Handler, once
from parlour.admin.api.problems import Problem


class Endpoint(APIRoute):
    """An endpoint of the API: names its right, refuses parameters that it does not know, heeds `Idempotency-Key`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (FastAPI's own)
        super().__init__(*args, **kwargs)
        right = right_of(self.dependant.dependencies)
        if right is None:
            raise TypeError(f"{self.path} asks for no right. Give it a parameter: Annotated[Caller, sees(Right.…)]")
        self.openapi_extra = {**(self.openapi_extra or {}), "x-right": right.value}
        self._is_kept = any(isinstance(one.call, NeedsToChange) for one in self.dependant.dependencies)
        params = get_flat_params(self.dependant)
        self._queries = sorted(one.alias for one in params if isinstance(one.field_info, Query))

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if unknown := sorted(set(request.query_params) - set(self._queries)):
                # Nobody learns here what there is.
                await run_in_threadpool(authenticate, request, shown_token(request))
                raise _unknown_parameter(unknown[0], self._queries)
            key = request.headers.get("idempotency-key")
            # One that is no key is told by the parameter's own check.
            if key is None or not 0 < len(key) <= LONGEST_KEY or not self._is_kept:
                return await handle(request)
            return await once(request, key, handle)

        return answer


def _unknown_parameter(name: str, known: Sequence[str]) -> Problem:
    """Left aside, a misspelt filter would be answered with everything."""
    there_are = f"There are: {', '.join(known)}." if known else "It takes none."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"This address has no parameter {name[:100]!r}. {there_are}")
