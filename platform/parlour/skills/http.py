"""`Http` for skills: only hosts that were granted, only over HTTPS, never an address that is not public.

The name is looked up once, every address of it is checked, and the connection goes to that address: a name that changes
its address between the check and the connection (DNS rebinding) changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from parlour.sdk.errors import Invalid, NotAvailable, NotGranted, TooMuch
from parlour.sdk.hosts import is_named

LARGEST_BYTES: Final = 8_000_000
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TIMEOUT_S: Final = 20.0
_LONGEST_URL: Final = 4_000
# What the connection itself needs, or what would speak in the host's name.
_OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"})

# The addresses of a host's name.
Resolve = Callable[[str], Sequence[str]]


def resolve(host: str) -> list[str]:
    """All addresses of a name. Raises `OSError`."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)})


class SkillHttp:
    """Fetches for skills. `transport` and `find` are a test's; the hosts come with every call."""

    def __init__(
        self,
        *,
        transport: httpx.BaseTransport | None = None,
        find: Resolve = resolve,
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self._transport = transport
        self._find = find
        self._largest_bytes = largest_bytes

    def get(self, hosts: Sequence[str], url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a GET, redirects followed as long as they stay within `hosts`."""
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._send("GET", hosts, url, headers, None)
            location = answer["headers"].get("location")
            if answer["status"] not in _REDIRECTS or not location:
                return answer
            url = urljoin(url, location)
        raise TooMuch(f"More than {_MOST_REDIRECTS} redirects.")

    def fetch(self, url: str) -> dict[str, Any]:
        """The answer of any public host to a GET, for the platform itself; redirects lead to public addresses alone."""
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._send("GET", [_host(url)], url, {}, None)
            location = answer["headers"].get("location")
            if answer["status"] not in _REDIRECTS or not location:
                return answer
            url = urljoin(url, location)
        raise TooMuch(f"More than {_MOST_REDIRECTS} redirects.")

    def post(self, hosts: Sequence[str], url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a POST."""
        return self._send("POST", hosts, url, headers, body)

    def _send(
        self, method: str, hosts: Sequence[str], url: str, headers: Mapping[str, str], body: bytes | None
    ) -> dict[str, Any]:
        host = _checked_host(url, hosts)
        address = self._address(host)
        target = httpx.URL(url).copy_with(host=address)
        given = {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}
        try:
            # A client for each request: no cookie and no connection is left for the next one.
            with httpx.Client(transport=self._transport, timeout=_TIMEOUT_S, trust_env=False) as client:
                request = client.build_request(method, target, headers={**given, "Host": host}, content=body)
                # The certificate is checked against the name, not against the address.
                request.extensions["sni_hostname"] = host
                response = client.send(request, stream=True)
                return _read(response, self._largest_bytes)
        except httpx.HTTPError as error:
            raise NotAvailable(f"{host} did not answer: {type(error).__name__}.") from None
        except ValueError:
            raise Invalid("A header or the address cannot be sent.") from None

    def _address(self, host: str) -> str:
        try:
            addresses = self._find(host)
        except OSError:
            raise NotAvailable(f"{host} has no address.") from None
        if not addresses or not all(is_public(address) for address in addresses):
            raise NotGranted(f"{host} has an address that is not public.")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet: not this machine, not a private network, not reserved."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _checked_host(url: str, hosts: Sequence[str]) -> str:
    if len(url) > _LONGEST_URL or any(character.isspace() or ord(character) < ord(" ") for character in url):
        raise Invalid("That is no web address.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        raise Invalid("That is no web address.") from None
    if parts.scheme != "https" or port not in {None, 443} or parts.username is not None:
        raise NotGranted("Only https:// on its own port, without a name and password in the address.")
    if not is_named(host, hosts):
        raise NotGranted(f"The host {host[:100]!r} was not granted. Granted: {', '.join(hosts) or 'none'}.")
    return host


def _read(response: httpx.Response, largest_bytes: int) -> dict[str, Any]:
    body = bytearray()
    # As it comes decompressed: a small answer may unfold to any size.
    for part in response.iter_bytes(1 << 16):
        body += part
        if len(body) > largest_bytes:
            raise TooMuch(f"The answer has more than {largest_bytes:,} bytes.")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return {"status": response.status_code, "body": bytes(body), "headers": headers}
