"""Skills reach granted hosts and nothing else."""

from collections.abc import Callable

import httpx
import pytest

from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, NotGranted, TooMuch
from parlour.skills.http import SkillHttp, is_public

PUBLIC = "93.184.216.34"
HOSTS = ["api.example.org", "*.seeds.example"]


def _http(answer: Callable[[httpx.Request], httpx.Response], addresses: list[str] | None = None) -> SkillHttp:
    return SkillHttp(transport=httpx.MockTransport(answer), find=lambda _: addresses or [PUBLIC])


def _ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=f"{request.method} {request.headers['host']} at {request.url.host}")


def test_the_connection_goes_to_the_address_that_was_checked_in_the_hosts_name() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return _ok(request)

    answered = _http(answer).get(HOSTS, "https://api.example.org/x?y=1", {"X-Key": "k", "Host": "evil.example"})

    assert answered["body"] == b"GET api.example.org at " + PUBLIC.encode()
    assert seen[0].extensions["sni_hostname"] == "api.example.org"
    assert seen[0].headers["x-key"] == "k"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://api.example.org.evil.example/",
        "https://seeds.example/",
        "https://api.example.org@evil.example/",
        "http://api.example.org/",
        "https://api.example.org:8443/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "file:///etc/passwd",
        "gopher://api.example.org/",
        "//api.example.org/",
        "",
    ],
)
def test_what_was_not_granted_is_refused(url: str) -> None:
    with pytest.raises((NotGranted, Invalid)):
        _http(_ok).get(HOSTS, url, {})


@pytest.mark.parametrize(
    "url", ["https://api.example.org/\r\nX: y", "https://api.example.org/ x", "https://[", "h" * 5000]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(CapabilityError):
        _http(_ok).get(HOSTS, url, {})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1",
        "2002:7f00:1::", "ff02::1", "64:ff9b:1::1",
    ],
)  # fmt: skip
def test_a_name_with_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(NotGranted, match="not public"):
        _http(_ok, [PUBLIC, address]).get(HOSTS, "https://api.example.org/", {})


def test_redirects_are_followed_within_the_granted_hosts() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old":
            return httpx.Response(302, headers={"location": "https://shop.seeds.example/new"})
        return _ok(request)

    assert b"shop.seeds.example" in _http(answer).get(HOSTS, "https://api.example.org/old", {})["body"]


@pytest.mark.parametrize("target", ["https://evil.example/", "http://127.0.0.1/", "http://api.example.org/"])
def test_a_redirect_that_leads_out_is_refused(target: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": target})

    with pytest.raises(NotGranted):
        _http(answer).get(HOSTS, "https://api.example.org/", {})


def test_redirects_without_end_are_given_up() -> None:
    with pytest.raises(TooMuch, match="redirects"):
        _http(lambda _: httpx.Response(302, headers={"location": "/"})).get(HOSTS, "https://api.example.org/", {})


def test_an_answer_that_is_too_large_is_given_up() -> None:
    with pytest.raises(TooMuch, match="bytes"):
        _http(lambda _: httpx.Response(200, content=bytes(8_000_001))).get(HOSTS, "https://api.example.org/", {})


def test_a_server_that_fails_is_told_without_its_words() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("MARKER")

    with pytest.raises(NotAvailable, match=r"^api\.example\.org did not answer: ConnectError\.$"):
        _http(answer).get(HOSTS, "https://api.example.org/", {})


def test_a_post_is_sent_and_not_redirected() -> None:
    answered = _http(lambda request: httpx.Response(307, content=request.content)).post(
        HOSTS, "https://api.example.org/", b"body", {}
    )

    assert (answered["status"], answered["body"]) == (307, b"body")
