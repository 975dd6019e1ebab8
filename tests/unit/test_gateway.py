"""The gateway's HTTP server: who a request is from."""

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from parlour.processes.gateway import http_config
from parlour.settings import load


async def _who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


async def asked(came_from: str, *proxies: str, said: str = "203.0.113.9") -> str:
    """Whom the gateway takes a request for."""
    environment = {"PARLOUR_WEB__TRUSTED_PROXIES": json.dumps(proxies)} if proxies else {}
    config = http_config(Starlette(routes=[Route("/", _who)]), load(environment).web)
    config.load()
    app: Any = config.loaded_app
    transport = httpx.ASGITransport(app, client=(came_from, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return (await client.get("/", headers={"X-Forwarded-For": said})).text


@pytest.mark.parametrize(
    ("came_from", "proxies", "who"),
    [
        ("127.0.0.1", (), "203.0.113.9"),
        ("172.18.0.1", (), "172.18.0.1"),
        ("172.18.0.1", ("172.16.0.0/12",), "203.0.113.9"),
        ("127.0.0.1", ("172.16.0.0/12",), "127.0.0.1"),
    ],
)
async def test_only_a_trusted_proxy_is_believed(came_from: str, proxies: tuple[str, ...], who: str) -> None:
    assert await asked(came_from, *proxies) == who


async def test_of_addresses_that_proxies_add_the_last_that_is_no_proxy_counts() -> None:
    assert await asked("10.0.0.2", "10.0.0.0/8", said="198.51.100.1, 203.0.113.9, 10.0.0.3") == "203.0.113.9"
