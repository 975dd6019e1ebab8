"""The pages while the key provider is away: who runs Parlour comes to see what is wrong."""

import pytest

from tests.fakes.keys import FakeOutage
from tests.unit.admin.pages.conftest import Site


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/conversations",
        "/feedback",
        "/holds",
        "/jobs",
        "/messengers",
        "/receipts",
        "/retention",
        "/skills",
        "/stuck",
    ],
)
def test_pages_that_open_nothing_sealed_are_there(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site.person("ann")
    browser, keyring = site.signed_in(), site.stage.platform.privacy.keyring
    outage = FakeOutage(site.stage.platform.privacy.provider)
    monkeypatch.setattr(keyring, "_provider", outage)
    keyring.forget(site.workspace_id)

    with outage.away():
        shown = browser.get(f"/admin{path}")
        sealed = browser.get("/admin/operators")

    assert shown.status_code == 200
    assert "Sign out<" in shown.text
    assert sealed.status_code == 503
    assert "Sign out (owner" in browser.get(f"/admin{path}").text
