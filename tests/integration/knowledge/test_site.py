"""A site is taken in by its sitemap: what changes, what goes, and what a hostile one can do."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from parlour.knowledge.access import Asker
from parlour.knowledge.errors import DocumentError, DocumentTooLarge, DocumentUnreadable
from parlour.knowledge.library import Report
from parlour.knowledge.service import Knowledge
from parlour.knowledge.site import Site
from tests.fakes.embedder import FakeEmbedder

ROOT = "https://shop.example"
SITEMAP = f"{ROOT}/sitemap.xml"


def sitemap(*addresses: str, kind: str = "urlset") -> bytes:
    listed = "".join(f"<url><loc> {one} </loc><lastmod>2026-01-01</lastmod></url>" for one in addresses)
    return f'<?xml version="1.0"?><{kind}>{listed}</{kind}>'.encode()


def page(text: str) -> bytes:
    return f"<html><body><nav>Menu</nav><main><h1>Help</h1><p>{text}</p></main></body></html>".encode()


@dataclass
class Web:
    """Pages by address, and the addresses that were asked for."""

    pages: dict[str, bytes | int | str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        address = str(request.url)
        self.asked.append(address)
        found = self.pages.get(address, 404)
        if isinstance(found, int):
            return httpx.Response(found)
        if isinstance(found, str):
            return httpx.Response(302, headers={"location": found})
        kind = "application/xml" if "sitemap" in address else "text/html; charset=utf-8"
        return httpx.Response(200, content=found, headers={"content-type": kind})

    def site(self, address: str = SITEMAP) -> Site:
        return Site(address, transport=httpx.MockTransport(self.answer))


@pytest.fixture
def web() -> Web:
    return Web(
        {
            SITEMAP: sitemap(f"{ROOT}/returns", f"{ROOT}/parking?lang=zh&amp;full=1"),
            f"{ROOT}/returns": page("Goods may be sent back within thirty days."),
            f"{ROOT}/parking?lang=zh&full=1": page("酒店地下停车场每小时收费十元。"),
        }
    )


@pytest.fixture
def add(knowledge: Knowledge, member: Asker, web: Web) -> Callable[[], Report]:
    return lambda: knowledge.library.add_site(member.workspace_id, web.site())


def test_the_pages_of_a_sitemap_are_found_by_their_address(
    knowledge: Knowledge, member: Asker, add: Callable[[], Report]
) -> None:
    assert add().added == ["shop.example/returns", "shop.example/parking?lang=zh&full=1"]

    best = knowledge.search.find(member, "goods sent back")[0]
    assert (best.source, best.text) == ("shop.example/returns", "Goods may be sent back within thirty days.")


def test_only_pages_that_changed_are_indexed_anew_and_gone_ones_are_removed(
    web: Web, add: Callable[[], Report], embedder: FakeEmbedder
) -> None:
    add()
    embedder.embedded.clear()
    assert add().unchanged == ["shop.example/returns", "shop.example/parking?lang=zh&full=1"]
    assert embedder.embedded == []

    web.pages[f"{ROOT}/returns"] = page("No refunds, ever.")
    del web.pages[f"{ROOT}/parking?lang=zh&full=1"]
    report = add()

    assert report.replaced == ["shop.example/returns"]
    assert report.removed == ["shop.example/parking?lang=zh&full=1"]


def test_a_page_that_does_not_answer_keeps_what_was_read_before(
    web: Web, add: Callable[[], Report], knowledge: Knowledge, member: Asker
) -> None:
    add()
    web.pages[f"{ROOT}/returns"] = 503

    report = add()

    assert report.refused == [f"{ROOT}/returns answers 503."]
    assert report.removed == []
    assert len(knowledge.library.every(member.workspace_id)) == 2


def test_sitemaps_of_sitemaps_and_packed_ones_are_followed_once(web: Web, add: Callable[[], Report]) -> None:
    web.pages[f"{ROOT}/sitemap-pages.xml.gz"] = gzip.compress(web.pages[SITEMAP])  # type: ignore[arg-type]
    web.pages[SITEMAP] = sitemap(f"{ROOT}/sitemap-pages.xml.gz", SITEMAP, kind="sitemapindex")

    assert len(add().added) == 2
    assert web.asked.count(SITEMAP) == 1


def test_other_hosts_are_not_asked(web: Web, add: Callable[[], Report]) -> None:
    web.pages[SITEMAP] = sitemap(
        f"{ROOT}/returns",
        f"{ROOT}/moved",
        "http://127.0.0.1:8080/admin",
        "https://evil.example/x",
        "file:///etc/passwd",
    )
    web.pages[f"{ROOT}/moved"] = "http://169.254.169.254/latest/meta-data"

    report = add()

    assert {httpx.URL(one).host for one in web.asked} == {"shop.example"}
    assert report.added == ["shop.example/returns"]
    assert "3 addresses on other hosts were left out" in report.warnings[0]
    assert "169.254.169.254" in report.refused[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<html><body>Welcome</body></html>", "is no sitemap"),
        (b"\x1f\x8bnot gzip", "damaged gzip"),
        (500, "answers 500"),
        (404, "is not there"),
        (sitemap("https://elsewhere.example/x"), "no page of shop.example"),
        (SITEMAP, "leads on more than 5 times"),
    ],
)
def test_what_is_no_sitemap_changes_nothing(
    web: Web, add: Callable[[], Report], knowledge: Knowledge, member: Asker, content: bytes | int | str, problem: str
) -> None:
    add()
    web.pages[SITEMAP] = content

    with pytest.raises(DocumentError, match=problem):
        add()

    assert len(knowledge.library.every(member.workspace_id)) == 2


def test_a_sitemap_that_unpacks_without_end_is_refused(web: Web, add: Callable[[], Report]) -> None:
    web.pages[SITEMAP] = gzip.compress(b"<loc>" * 12_000_000, compresslevel=1)

    with pytest.raises(DocumentTooLarge, match="unpacks to more"):
        add()


def test_a_page_of_a_kind_that_is_not_read_is_named(web: Web, add: Callable[[], Report]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == f"{ROOT}/returns":
            return httpx.Response(200, content=b"\x00", headers={"content-type": "video/../mp4"})
        return web.answer(request)

    web.site = lambda address=SITEMAP: Site(address, transport=httpx.MockTransport(answer))  # type: ignore[method-assign]

    (refused,) = add().refused

    assert refused.startswith(f"{ROOT}/returns is of a kind that is not read")


@pytest.mark.parametrize("address", ["shop.example/sitemap.xml", "ftp://shop.example/x", "https://"])
def test_what_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(DocumentError, match="no web address"):
        Site(address)


def test_a_server_that_does_not_answer_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DocumentUnreadable, match="ConnectError"):
        Site(SITEMAP, transport=httpx.MockTransport(refuse)).addresses()
