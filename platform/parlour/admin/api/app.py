"""The API as an application of its own under `/api`: its routes, its errors, its OpenAPI."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute, Mount

import parlour
from parlour.admin.api import problems
from parlour.admin.api.resources import (
    audit,
    conversations,
    feedback,
    holds,
    keys,
    overview,
    people,
    receipts,
    retention,
    skill_offers,
    skills,
    tokens,
    turns,
)
from parlour.bootstrap import Platform
from parlour.turns.gate import RateGate

PLACE: Final = "/api"
VERSION: Final = "/v1"
REQUESTS_PER_MINUTE: Final = 1_200
_ABOUT: Final = """What the pages and `parlour …` do, for programs.

Every request shows a token (`Authorization: Bearer parlour_…`), which is of one workspace and sees nothing of others.
Lists come in pages: give `next` of one page as `cursor` for the following one. Errors are problem JSON (RFC 9457).
Send an `Idempotency-Key` with what changes something, and it is safe to send again."""

# Each resource: its router, the tag it stands under, and what that is.
RESOURCES: Final[Sequence[tuple[APIRouter, str, str]]] = (
    (people.router, "people", "People: who they are, what they may, and their rights to their data."),
    (turns.router, "turns", "Where work stands: see it, try it again, drop it."),
    (conversations.router, "conversations", "That conversations are, and how they stand; never what was said."),
    (retention.router, "retention", "How long data is kept."),
    (holds.router, "holds", "Legal holds: what must not be deleted."),
    (receipts.router, "receipts", "Proofs that someone was erased."),
    (keys.router, "keys", "The keys' state, and a new key to wrap them."),
    (audit.router, "audit", "Who did what, with whom, when and why."),
    (skills.router, "skills", "What is installed, how it is set, and what people did that a skill should know."),
    (skill_offers.router, "installing", "Skills: hand one in, see what it asks for, install it, upgrade it."),
    (feedback.router, "feedback", "Thumbs under answers."),
    (overview.router, "overview", "How the workspace fares."),
    (tokens.router, "tokens", "What programs show to use this API."),
)


def build_api(platform: Platform, *, requests_per_minute: int = REQUESTS_PER_MINUTE) -> FastAPI:
    """The application that answers `/api/…`."""
    app = FastAPI(
        title="Parlour",
        version=parlour.__version__,
        description=_ABOUT,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PLACE}],
        root_path_in_servers=False,
        openapi_tags=[{"name": name, "description": about} for _, name, about in RESOURCES],
        redirect_slashes=False,
    )
    app.state.parlour = platform
    app.state.gate = RateGate(requests_per_minute)
    for router, name, _ in RESOURCES:
        app.include_router(router, prefix=VERSION, tags=[name])
    problems.handle_problems(app)
    _tell_of_itself(app)
    return app


def api_routes(platform: Platform) -> Sequence[BaseRoute]:
    """Where the gateway's application has it."""
    return [Mount(PLACE, app=build_api(platform))]


def _tell_of_itself(app: FastAPI) -> None:
    """Make the OpenAPI once, with the problem's schema in it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                servers=app.servers,
                tags=app.openapi_tags,
            )
            made["components"]["schemas"] |= _problem_schemas()
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way of extending it


def _problem_schemas() -> dict[str, Any]:
    schema = problems.ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    return {problems.SCHEMA: schema, **parts}
