"""What operators do with people, in the pages."""

import csv
import io
import re
from collections.abc import Callable

import pytest

from parlour.admin.lists import csv_file
from parlour.people import consent
from parlour.people.states import Role
from parlour.privacy import audit
from tests.unit.admin.pages.conftest import Site

EVIL = "<script>alert(1)</script>"


def _actions(site: Site) -> list[str]:
    parts = site.stage.platform
    return [entry.action for entry in audit.tail(parts.database, parts.privacy)]


def test_people_are_listed_filtered_and_found_by_their_handle(site: Site) -> None:
    ann, bob = site.person("ann"), site.person("bob")
    browser = site.signed_in()
    browser.send(f"/admin/people/{bob}/block")

    assert str(ann) in browser.get("/admin/people").text
    blocked = browser.get("/admin/people?state=blocked").text
    assert str(bob) in blocked
    assert str(ann) not in blocked
    assert browser.get(f"/admin/people/find?who={ann}").headers["location"] == f"/admin/people/{ann}"
    assert browser.get("/admin/people/find?who=telegram:nobody").status_code == 404


def test_a_long_list_goes_on_behind_the_last_row(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [str(site.person(f"person {number}")) for number in range(3)]
    monkeypatch.setattr("parlour.admin.lists.PAGE_ROWS", 2)
    monkeypatch.setattr("parlour.admin.pages.people.PAGE_ROWS", 2)
    monkeypatch.setattr("parlour.admin.lists.cut.__kwdefaults__", {"size": 2})
    browser = site.signed_in(Role.AUDITOR)

    first = browser.get("/admin/people?role=member").text
    second = browser.get(f"/admin/people?role=member&after={people[1]}").text

    assert f"role=member&amp;after={people[1]}" in first
    assert people[2] in second
    assert 'rel="next"' not in second


def test_a_name_made_of_script_is_shown_as_it_is_written(site: Site) -> None:
    evil = site.person(EVIL)
    browser = site.signed_in()

    for path in ("/admin/people", f"/admin/people/{evil}", f"/admin/people/find?who={EVIL}"):
        shown = browser.get(path).text
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_a_role_is_changed_and_the_last_owner_keeps_theirs(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in()

    made = browser.send(f"/admin/people/{ann}/role", role="owner")
    last = browser.send(f"/admin/people/{ann}/role", role="member")

    assert made.headers["location"].endswith("?done=role")
    assert last.status_code == 409
    assert "last owner" in last.text
    assert "user.role.owner" in _actions(site)
    assert browser.send(f"/admin/people/{ann}/role", role="emperor").status_code == 409


def test_blocking_and_unblocking_stand_in_the_audit_log(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in(Role.ADMIN)

    browser.send(f"/admin/people/{ann}/block", reason="She sent spam.")
    browser.send(f"/admin/people/{ann}/unblock", reason=" ")
    again = browser.send(f"/admin/people/{ann}/unblock")

    found = audit.tail(site.stage.platform.database, site.stage.platform.privacy, limit=2)
    assert [(one.action, one.reason) for one in found] == [("user.unblock", None), ("user.block", "She sent spam.")]
    assert again.status_code == 409


def test_each_step_of_a_persons_consent_is_shown_with_the_words_version(site: Site) -> None:
    ann, parts = site.person("ann"), site.stage.platform
    with parts.database.begin() as session:
        consent.ask(session, ann, language="zh", now=parts.clock.now())
        consent.decide(session, ann, is_given=True, language="en", now=parts.clock.now())

    shown = site.signed_in(Role.AUDITOR).get(f"/admin/people/{ann}").text

    steps = re.findall(r"<li>[^<]*· (asked|given) · ([^<]*)</li>", shown)
    assert steps == [(said, f"words of version {consent.VERSION}, 中文") for said in ("asked", "given")]


def test_what_somebody_used_of_their_quota_today_is_shown(open_site: Callable[..., Site]) -> None:
    site = open_site(quotas={"user_turns": 5, "workspace_turns": 9})
    ann = site.person("ann")
    site.person("ann")
    site.person("bob")

    shown = site.signed_in(Role.AUDITOR).get(f"/admin/people/{ann}").text

    assert "<li>2 of 5 messages of their own</li><li>3 of 9 messages of the workspace</li>" in shown


def test_an_export_needs_the_right_and_a_reason(site: Site) -> None:
    ann = site.person("ann")
    owner, admin = site.signed_in(), site.signed_in(Role.ADMIN)
    path = f"/admin/people/{ann}/export"

    assert admin.send(path, reason="curious").status_code == 403
    assert owner.send(path, reason=" ").status_code == 409
    made = owner.send(path, reason="she asked for it")

    assert made.headers["content-type"] == "application/zip"
    assert made.content[:2] == b"PK"
    assert "user.export" in _actions(site)


def test_who_is_being_erased_has_no_export_any_more(site: Site) -> None:
    ann = site.person("ann")
    owner = site.signed_in()
    site.stage.shred(ann)

    refused = owner.send(f"/admin/people/{ann}/export", reason="she asked for it")

    assert refused.status_code == 404
    assert "user.export" not in _actions(site)


def test_nobody_can_be_erased_who_is_unknown(site: Site) -> None:
    browser = site.signed_in()

    refused = browser.send("/admin/people/01900000-0000-7000-8000-000000000000/erase", word="000000")

    assert refused.status_code == 404
    assert "user.erase" not in _actions(site)


def test_erasing_takes_a_second_step_and_gives_a_receipt(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in(Role.ADMIN)
    path = f"/admin/people/{ann}/erase"

    asked = browser.get(path)
    wrong = browser.send(path, word="yes")
    done = browser.send(path, word=str(ann)[-6:], reason="she asked for it")

    assert (asked.status_code, wrong.status_code, done.status_code) == (200, 422, 200)
    assert "signature" in done.text
    assert browser.send(path, word=str(ann)[-6:]).status_code == 410
    assert browser.get(f"/admin/people/{ann}").status_code == 410


def test_a_csv_file_holds_no_formula(site: Site) -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\uff1d1", "plain", None, 5]

    site.app.add_api_route("/x", lambda: csv_file("x", ["a"], [[cell] for cell in cells]))
    shown = site.browser().get("/x").content.decode("utf-8-sig")

    read = [row[0] if row else "" for row in csv.reader(io.StringIO(shown))][1:]
    assert read == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "' =1", "'\uff1d1", "plain", "", "5"]


def test_the_overview_counts_the_last_day(site: Site) -> None:
    site.person("ann")
    site.person("bob")

    shown = site.signed_in(Role.AUDITOR).get("/admin").text

    assert "<dt>Turns: answered</dt><dd>2</dd>" in shown
    assert 'class="answered"' in shown
