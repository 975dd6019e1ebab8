"""The pages of a site that its sitemap names, fetched one after the other."""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from parlour.knowledge.errors import DocumentError, DocumentGone, DocumentTooLarge, DocumentUnreadable

# Not parsed as XML: all that is wanted is addresses, and no entity of a hostile document unfolds.
_LOCATION: Final = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</loc>", re.DOTALL | re.IGNORECASE)
_INDEX: Final = re.compile(r"<(?:\w+:)?sitemapindex\b", re.IGNORECASE)
_NO_WORD: Final = re.compile(r"\W")
_GZIP: Final = b"\x1f\x8b"
_LARGEST_BYTES: Final = 50_000_000
_MOST_SITEMAPS: Final = 200
_MOST_PAGES: Final = 20_000
_MOST_REDIRECTS: Final = 5
_TIMEOUT_S: Final = 30.0
_GONE: Final = frozenset({404, 410})
_SUFFIXES: Final[Mapping[str, str]] = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page's bytes, and the suffix by which they are read."""

    suffix: str
    content: bytes


class Site:
    """One host's pages. What a sitemap or a redirect names on another host is not fetched."""

    def __init__(self, sitemap: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """Raises `DocumentError` for what is no web address."""
        parts = urlsplit(sitemap)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise DocumentError(f"{sitemap} is no web address. Give one like https://shop.example/sitemap.xml")
        self.host = parts.netloc.rpartition("@")[2].lower()
        self._sitemap = sitemap
        self._client = httpx.Client(transport=transport, timeout=_TIMEOUT_S, headers={"User-Agent": "Parlour"})
        self.elsewhere = 0
        """How many addresses of other hosts were left out."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def addresses(self) -> list[str]:
        """The pages that the sitemap and those it names list, each once. Raises `DocumentError`."""
        waiting, seen, found = [self._sitemap], {self._sitemap}, dict[str, None]()
        while waiting:
            address = waiting.pop(0)
            text = _unpacked(self._fetched(address).content, address).decode("utf-8", "replace")
            listed = [urljoin(address, unescape(one)) for one in _LOCATION.findall(text)]
            if not listed and address == self._sitemap:
                raise DocumentUnreadable(f"{address} is no sitemap: it names no page in <loc>…</loc>.")
            here = [one for one in listed if self._is_here(one)]
            self.elsewhere += len(listed) - len(here)
            if _INDEX.search(text):
                waiting += [one for one in dict.fromkeys(here) if one not in seen]
                seen.update(here)
            else:
                found.update(dict.fromkeys(here))
            if len(found) > _MOST_PAGES or len(seen) > _MOST_SITEMAPS:
                raise DocumentTooLarge(
                    f"{self._sitemap} names more than {_MOST_PAGES} pages or {_MOST_SITEMAPS} sitemaps. "
                    "Give a sitemap of a part."
                )
        return list(found)

    def page(self, address: str) -> Page:
        """The page there. Raises `DocumentGone` where it is no more, and other `DocumentError`s."""
        return self._fetched(address)

    def name(self, address: str) -> str:
        """What the page is called among documents: its address without the scheme."""
        parts = urlsplit(address)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.host}{unquote(parts.path) or '/'}{query}"

    def _fetched(self, address: str) -> Page:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                with self._client.stream("GET", address) as answer:
                    if not answer.is_redirect:
                        return _read(answer, address)
                    address = urljoin(address, answer.headers.get("location", ""))
            except httpx.HTTPError as error:
                raise DocumentUnreadable(f"{address} does not answer ({type(error).__name__}).") from None
            except (httpx.InvalidURL, ValueError):
                raise DocumentUnreadable(f"{address[:200]} is no web address.") from None
            if not self._is_here(address):
                raise DocumentUnreadable(f"{address} is on another host than {self.host}; it is not fetched.")
        raise DocumentUnreadable(f"{address} leads on more than {_MOST_REDIRECTS} times.")

    def _is_here(self, address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == self.host


def _read(answer: httpx.Response, address: str) -> Page:
    if answer.status_code in _GONE:
        raise DocumentGone(f"{address} is not there ({answer.status_code}).")
    if answer.status_code != httpx.codes.OK:
        raise DocumentUnreadable(f"{address} answers {answer.status_code}.")
    body = bytearray()
    # As it comes decompressed: a small answer may unfold to any size.
    for part in answer.iter_bytes(1 << 16):
        body += part
        if len(body) > _LARGEST_BYTES:
            raise DocumentTooLarge(f"{address} has more than {_LARGEST_BYTES:,} bytes.")
    kind = answer.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    return Page(_SUFFIXES.get(kind, f".{_NO_WORD.sub('', kind.rpartition('/')[2]) or 'unknown'}"), bytes(body))


def _unpacked(content: bytes, address: str) -> bytes:
    if not content.startswith(_GZIP):
        return content
    try:
        unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
        unpacked = unpacking.decompress(content, _LARGEST_BYTES)
    except zlib.error:
        raise DocumentUnreadable(f"{address} is a damaged gzip file.") from None
    if unpacking.unconsumed_tail:
        raise DocumentTooLarge(f"{address} unpacks to more than {_LARGEST_BYTES:,} bytes.")
    return unpacked


def is_site(source: str) -> bool:
    """Whether a source is a web address and no path."""
    return source.lower().startswith(("http://", "https://"))


def each_page(site: Site, addresses: list[str]) -> Iterator[tuple[str, Page | DocumentError]]:
    """Every address with its page, or why there is none."""
    for address in addresses:
        try:
            yield address, site.page(address)
        except DocumentError as error:
            yield address, error
