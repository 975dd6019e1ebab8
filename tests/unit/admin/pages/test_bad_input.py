"""Numbers, times, places and people that cannot be: each is told beside its field, and breaks no page."""

from urllib.parse import quote
from uuid import UUID

import pytest

from parlour.privacy.audit import tail
from parlour.store.ids import new_id
from parlour.store.places import Place
from parlour.store.privacy_models import RetentionRule
from tests.unit.admin.pages.conftest import Site

LONG_NUMBERS = ("9" * 20, "9" * 5_000)
# Both are no times in UTC: the years there go from 1 to 9999.
BEYOND = ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00")
DATED = ("/admin/audit", "/admin/conversations", "/admin/feedback")


@pytest.mark.parametrize("number", LONG_NUMBERS)
def test_a_number_that_no_list_goes_on_behind_shows_its_first_page(site: Site, number: str) -> None:
    site.person("ann")
    browser = site.signed_in()
    with_turns = next(iter(_links(browser.get("/admin/conversations").text, "/admin/conversations/")))

    assert 'class="number">1<' in browser.get(f"/admin/audit?after={number}").text
    assert f">{site.stage.turns()[0].id}<" in browser.get(f"{with_turns}?before={number}").text


@pytest.mark.parametrize("days", LONG_NUMBERS)
@pytest.mark.parametrize("path", ["/admin/retention/preview", "/admin/retention/set"])
def test_days_of_any_length_are_no_rule(site: Site, path: str, days: str) -> None:
    refused = site.signed_in().send(path, data_class="message", scope="workspace", days=days)

    assert refused.status_code == 422
    assert 'id="problem-days">' in refused.text


@pytest.mark.parametrize("moment", [*BEYOND, "bad"])
@pytest.mark.parametrize("path", DATED)
def test_what_is_no_time_is_told_beside_its_field_and_makes_no_file(site: Site, path: str, moment: str) -> None:
    site.person("ann")
    browser = site.signed_in()

    for kind in ("", ".csv"):
        refused = browser.get(f"{path}{kind}?since={quote(moment)}")
        assert refused.status_code == 422, kind
        assert 'id="problem-since">' in refused.text
        assert "content-disposition" not in refused.headers


@pytest.mark.parametrize("at", [*BEYOND, "2026-01-01T00:00:00"])
def test_a_place_at_no_time_is_none(at: str) -> None:
    assert Place.of(f"{at}~{new_id()}") is None


@pytest.mark.parametrize("scope", ["channel:nowhere", f"conversation:{UUID(int=7)}"])
def test_a_rule_for_a_place_that_is_not_there_says_so_beside_its_field(site: Site, scope: str) -> None:
    site.person("ann")
    browser, rules = site.signed_in(), site.stage.count(RetentionRule)

    for path in ("/admin/retention/preview", "/admin/retention/set"):
        refused = browser.send(path, data_class="message", scope=scope, days="30")
        assert refused.status_code == 422, path
        assert 'id="problem-scope">' in refused.text
        assert scope in refused.text
    assert browser.get(f"/admin/retention/due?data_class=message&scope={scope}").status_code == 404
    assert site.stage.count(RetentionRule) == rules


def test_whoever_was_erased_is_said_to_be_with_their_receipt(site: Site) -> None:
    ann, browser = site.person("ann"), site.signed_in()
    path = f"/admin/people/{ann}"
    browser.send(f"{path}/erase", word=str(ann)[-6:])
    receipt = _links(browser.get("/admin/receipts").text, "/admin/receipts/")[0]

    for told in (
        browser.send(f"{path}/erase", word=str(ann)[-6:]),
        browser.get(f"{path}/erase"),
        browser.get(path),
        browser.send(f"{path}/block"),
    ):
        assert told.status_code == 410
        assert "was erased" in told.text
        assert f'href="{receipt}"' in told.text
    held = browser.send("/admin/holds", kind="person", who=str(ann), reason="Case 17")
    assert held.status_code == 422
    assert "was erased: nothing is left to be held" in held.text
    assert browser.get(f"/admin/people/find?who={ann}").headers["location"] == path
    parts = site.stage.platform
    assert [one.action for one in tail(parts.database, parts.privacy)].count("user.erase") == 1


def _links(text: str, beginning: str) -> list[str]:
    return [part.partition('"')[0] for part in text.split('href="') if part.startswith(beginning)]
