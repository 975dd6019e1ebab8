"""Errors under `/admin` as people in a browser see them."""

import pytest
from fastapi import FastAPI

from parlour.store.errors import DatabaseUnavailable
from tests.unit.admin.pages.conftest import Site

CHINESE = {"Accept-Language": "zh-CN"}


def _broken(app: FastAPI) -> None:
    def breaks() -> None:
        raise RuntimeError("secret")

    def away() -> None:
        raise DatabaseUnavailable("somewhere")

    app.add_api_route("/admin/breaks", breaks)
    app.add_api_route("/admin/away", away)


@pytest.mark.parametrize(
    ("path", "status", "english", "chinese"),
    [
        ("/admin/nothing", 404, "Not found", "未找到"),
        ("/admin/people/xyz", 404, "Not found", "未找到"),
        ("/admin/retention/rule", 422, "Not valid", "无效"),
    ],
)
def test_an_operator_sees_an_error_in_the_frame_of_the_pages(
    site: Site, path: str, status: int, english: str, chinese: str
) -> None:
    browser = site.signed_in()

    shown, translated = browser.get(path), browser.get(path, **CHINESE)

    assert (shown.status_code, translated.status_code) == (status, status)
    assert f"<h1>{english}</h1>" in shown.text
    assert f"<h1>{chinese}</h1>" in translated.text
    assert 'href="/admin/people"' in shown.text
    assert shown.headers["cache-control"] == "no-store"


def test_who_is_not_signed_in_sees_the_error_without_navigation(site: Site) -> None:
    shown = site.browser().get("/admin/nothing", **CHINESE)

    assert shown.status_code == 404
    assert "<h1>未找到</h1>" in shown.text
    assert "/admin/people" not in shown.text


@pytest.mark.parametrize(("path", "status", "title"), [("breaks", 500, "出错了"), ("away", 503, "暂时不可用")])
def test_what_breaks_is_told_in_the_readers_language_and_nothing_of_it(
    site: Site, path: str, status: int, title: str
) -> None:
    _broken(site.app)

    shown = site.signed_in().get(f"/admin/{path}", **CHINESE)

    assert shown.status_code == status
    assert f"<h1>{title}</h1>" in shown.text
    assert "secret" not in shown.text
    assert ("日志中的编号：" in shown.text) == (status == 500)
    assert shown.headers["x-frame-options"] == "DENY"
    assert "style-src 'self'" in shown.headers["content-security-policy"]


def test_a_program_is_told_in_json(site: Site) -> None:
    answer = site.signed_in().get("/admin/nothing", Accept="*/*")

    assert answer.headers["content-type"] == "application/problem+json"
