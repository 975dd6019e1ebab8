"""What holds for every request to the gateway."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.store.errors import DatabaseUnavailable

LIMIT = 1_000


class Body(BaseModel):
    """A body with a type that can be wrong."""

    count: int


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _broken(request: Request) -> Response:
    raise ValueError("a secret in a message")


async def _away(request: Request) -> Response:
    raise DatabaseUnavailable("db.internal is away")


async def _own_policy(request: Request) -> Response:
    return PlainTextResponse("", headers={"Content-Security-Policy": "default-src 'self'"})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.post("/typed")
    async def typed(body: Body) -> int:
        return body.count

    routes = [
        Route("/echo", _echo, methods=["POST"]),
        Route("/broken", _broken),
        Route("/away", _away),
        Route("/own", _own_policy),
        *router.routes,
    ]
    app = build_app(routes, Health({}), registry=CollectorRegistry(), max_body_bytes=LIMIT)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://parlour.test") as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/broken", "/nowhere", "/api/openapi.json"])
async def test_every_answer_carries_the_protecting_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


async def test_a_routes_own_policy_stands(client: httpx.AsyncClient) -> None:
    assert (await client.get("/own")).headers["content-security-policy"] == "default-src 'self'"


@pytest.mark.parametrize(("accept", "kind"), [("text/html", "text/html"), ("*/*", "application/problem+json")])
async def test_an_error_of_ours_tells_a_reference_and_nothing_else(
    client: httpx.AsyncClient, accept: str, kind: str
) -> None:
    response = await client.get("/broken", headers={"Accept": accept})

    assert response.status_code == 500
    assert response.headers["content-type"].startswith(kind)
    assert "Reference: " in response.text
    assert "secret" not in response.text
    assert "Traceback" not in response.text


async def test_a_database_that_is_away_is_a_503_without_its_address(client: httpx.AsyncClient) -> None:
    response = await client.get("/away")

    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "db.internal" not in response.text


async def test_a_page_that_is_not_there_is_a_plain_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/<script>", headers={"Accept": "text/html"})

    assert response.status_code == 404
    assert "<h1>404 Not Found</h1>" in response.text
    assert "<script>" not in response.text


async def test_a_body_within_the_limit_passes(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo", content=b"x" * LIMIT)).text == str(LIMIT)


async def test_a_body_announced_too_large_is_refused_at_once(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo", content=b"x" * (LIMIT + 1))).status_code == 413


async def test_a_body_that_turns_out_too_large_is_refused(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    response = await client.post("/echo", content=pieces())

    assert response.status_code == 413


async def test_a_wrong_body_is_told_by_field_and_never_quoted(client: httpx.AsyncClient) -> None:
    response = await client.post("/typed", json={"count": "my secret"})

    assert response.status_code == 422
    assert response.json()["detail"] == "Not valid: body.count."
    assert "secret" not in response.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_no_page_loads_scripts_from_elsewhere_and_only_the_api_describes_itself(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(path)).status_code == 404
