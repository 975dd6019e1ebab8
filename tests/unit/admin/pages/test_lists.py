"""Lists: each finds a person by id or handle, and its CSV file holds all that the list has, however long that is."""

import csv
import io
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from parlour.admin import lists
from parlour.admin.pages import stuck
from parlour.people.admit import Access, admit
from parlour.people.linking import link
from parlour.people.states import Role, UserState
from parlour.people.users import make_link_code
from parlour.privacy.holds import add_hold
from parlour.store.ids import UserId, new_id
from parlour.store.models import Conversation, Feedback, Turn, User
from parlour.turns.ports import Sender
from tests.unit.admin.pages.conftest import Browser, Site

PEOPLE = ("ann", "bob", "cem", "dee", "eve")


def rows(browser: Browser, path: str) -> list[dict[str, str]]:
    """What the CSV file holds."""
    got = browser.get(path)
    assert got.status_code == 200, path
    assert got.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(got.content.decode("utf-8-sig"))))


def thumb_up(site: Site, user_id: UserId) -> UUID:
    parts, row_id = site.stage.platform, new_id()
    with parts.database.begin() as session:
        turn_id = session.scalars(select(Turn.id).where(Turn.user_id == user_id)).first()
        now = parts.clock.now()
        session.add(Feedback(id=row_id, turn_id=turn_id, user_id=user_id, is_positive=True, created_at=now))
    return row_id


def hold(site: Site, user_id: UserId | None = None, conversation_id: UUID | None = None) -> UUID:
    parts = site.stage.platform
    return add_hold(
        parts.database,
        parts.privacy,
        workspace_id=site.workspace_id,
        user_id=user_id,
        conversation_id=conversation_id,
        reason="Case 17",
        actor="command:test",
    )


def stranger(site: Site, name: str) -> UserId:
    parts = site.stage.platform
    with parts.database.begin() as session:
        found = admit(
            session,
            parts.privacy,
            Access("pairing"),
            workspace_id=site.workspace_id,
            channel="telegram",
            sender=Sender(name, name.title()),
            now=parts.clock.now(),
        )
    assert found is not None
    return UserId(found.user_id)


def conversation_of(site: Site, user_id: UserId) -> UUID:
    with site.stage.platform.database.read() as session:
        return session.scalars(select(Conversation.id).where(Conversation.user_id == user_id)).one()


# ---- files -------------------------------------------------------------------------------------------------------


def test_a_file_holds_every_row_of_its_list_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "CSV_BATCH", 2)
    people = [site.person(name) for name in PEOPLE]
    thumbs, holds = [thumb_up(site, one) for one in people], [hold(site, one) for one in people]
    waiting = [stranger(site, f"stranger {number}") for number in range(4)]
    browser = site.signed_in()

    def ids(path: str, column: str = "id") -> list[str]:
        found = [row[column] for row in rows(browser, path)]
        assert len(set(found)) == len(found), path
        return sorted(found)

    def told(wanted: list[UserId] | list[UUID]) -> list[str]:
        return sorted(str(one) for one in wanted)

    assert ids("/admin/people.csv") == told([*people, *waiting])
    assert ids("/admin/pairing.csv") == told(waiting)
    assert ids("/admin/conversations.csv") == told([conversation_of(site, one) for one in people])
    assert ids("/admin/feedback.csv") == told(thumbs)
    assert ids("/admin/holds.csv") == told(holds)
    entries = [int(row["number"]) for row in rows(browser, "/admin/audit.csv")]
    assert entries == sorted(range(1, max(entries) + 1), reverse=True)


def test_the_file_of_receipts_holds_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "CSV_BATCH", 2)
    people, eraser = [site.person(name) for name in PEOPLE], site.stage.platform.eraser
    for one in people:
        eraser.erase(one, actor="command:test")

    found = rows(site.signed_in(), "/admin/receipts.csv")

    assert {row["person"] for row in found} == {str(one) for one in people}
    assert len(found) == len(people)


def test_the_file_of_stuck_work_holds_more_than_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [site.stage.say("Hello", sender=name).turn_id for name in PEOPLE]
    site.stage.clock.advance(3_600)
    monkeypatch.setattr(stuck, "MOST", 2)
    browser = site.signed_in()

    shown, found = browser.get("/admin/stuck").text, rows(browser, "/admin/stuck.csv")

    assert {row["id"] for row in found} == {str(one) for one in turns}
    assert len([one for one in turns if str(one) in shown]) == 2
    assert "the 2 longest stuck for each reason" in shown


def test_a_file_that_cannot_be_begun_is_told_as_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    browser = site.signed_in()
    monkeypatch.setattr("parlour.people.users.list_users", fails)

    assert browser.get("/admin/people.csv").status_code == 500


# ---- finding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [str, lambda _: "telegram:ann"], ids=["id", "handle"])
def test_each_list_finds_a_person(site: Site, by: Callable[[UserId], str]) -> None:
    ann, bob = site.person("ann"), site.person("bob")
    held, other = hold(site, ann), hold(site, bob)
    anns, bobs = thumb_up(site, ann), thumb_up(site, bob)
    browser, who = site.signed_in(), by(ann)

    for path, query, hers, his in (
        ("/admin/conversations", f"user={who}", conversation_of(site, ann), conversation_of(site, bob)),
        ("/admin/feedback", f"user={who}", anns, bobs),
        ("/admin/holds", f"on={who}", held, other),
    ):
        found = [row["id"] for row in rows(browser, f"{path}.csv?{query}")]
        assert found == [str(hers)], path
        shown = browser.get(f"{path}?{query}")
        assert shown.status_code == 200
        assert str(ann) in shown.text
        assert str(bob) not in shown.text
        assert str(his) not in shown.text
    entries = rows(browser, f"/admin/audit.csv?subject={who}")
    assert [(row["action"], row["subject"]) for row in entries] == [("hold.add", str(ann))]


def test_the_lists_know_a_person_by_every_id_that_they_had(site: Site) -> None:
    ann, before = site.person("ann"), site.person("ann2")
    parts = site.stage.platform
    thumb, held = thumb_up(site, before), hold(site, before)
    code = make_link_code(parts.database, parts.privacy, ann, now=parts.clock.now())
    with parts.database.begin() as session:
        its, now = site.workspace_id, parts.clock.now()
        link(session, parts.privacy, parts.profiles, code.code, by=before, workspace_id=its, now=now)
    browser = site.signed_in()

    for who in (str(ann), str(before), "telegram:ann2"):
        assert [row["id"] for row in rows(browser, f"/admin/feedback.csv?user={who}")] == [str(thumb)]
        assert [row["id"] for row in rows(browser, f"/admin/holds.csv?on={who}")] == [str(held)]
        assert len(rows(browser, f"/admin/conversations.csv?user={who}")) == 2
        entries = rows(browser, f"/admin/audit.csv?subject={who}&action=hold.add")
        assert [row["subject"] for row in entries] == [str(before)]


def test_the_audit_log_finds_who_did_something_by_id_and_handle(site: Site) -> None:
    ann, browser = site.person("ann"), site.signed_in(Role.OWNER)
    parts = site.stage.platform
    add_hold(parts.database, parts.privacy, workspace_id=site.workspace_id, reason="Case 18", actor=f"user:{ann}")
    done = browser.send("/admin/holds", kind="workspace", who="", reason="Case 19")
    assert done.status_code == 303
    (login,) = {row["actor"] for row in rows(browser, "/admin/audit.csv?action=hold.add")} - {f"user:{ann}"}

    def reasons(actor: str) -> list[str]:
        return [row["reason"] for row in rows(browser, f"/admin/audit.csv?actor={actor}&action=hold.add")]

    assert reasons("telegram:ann") == reasons(str(ann)) == reasons(f"user:{ann}") == ["Case 18"]
    assert reasons(login) == reasons(login.removeprefix("login:")) == ["Case 19"]
    assert reasons("telegram:nobody") == []


def test_holds_are_found_by_conversation_and_receipts_by_the_ids_that_are_left(site: Site) -> None:
    ann, bob = site.person("ann"), site.person("bob")
    conversation = conversation_of(site, ann)
    held = hold(site, conversation_id=conversation)
    hold(site)
    eraser = site.stage.platform.eraser
    browser = site.signed_in()

    assert [row["id"] for row in rows(browser, f"/admin/holds.csv?on={conversation}")] == [str(held)]
    for row in rows(browser, "/admin/holds.csv"):
        browser.send(f"/admin/holds/{row['id']}/lift", reason="over")
    receipts = {one: eraser.erase(one, actor="command:test").receipt_id for one in (ann, bob)}
    for which in (ann, receipts[ann]):
        (found,) = rows(browser, f"/admin/receipts.csv?who={which}")
        assert (found["receipt"], found["person"]) == (str(receipts[ann]), str(ann))
        shown = browser.get(f"/admin/receipts?who={which}").text
        assert str(ann) in shown
        assert str(bob) not in shown


def test_one_who_waits_is_found_among_those_who_do(site: Site) -> None:
    eve, _ = stranger(site, "eve"), stranger(site, "mallory")
    ann, browser = site.person("ann"), site.signed_in()

    found = browser.get("/admin/pairing?who=telegram:eve")
    assert found.status_code == 200
    assert str(eve) in found.text
    assert "Mallory" not in found.text
    for who, words in ((str(ann), "They do not wait any more."), ("telegram:nobody", "is nobody here")):
        refused = browser.get(f"/admin/pairing?who={who}")
        assert refused.status_code == 422
        assert 'id="problem-who">' in refused.text
        assert words in refused.text
    with site.stage.platform.database.read() as session:
        assert session.get_one(User, eve).state == UserState.PENDING


@pytest.mark.parametrize(
    ("path", "field"),
    [("/admin/conversations", "user"), ("/admin/feedback", "user"), ("/admin/holds", "on"), ("/admin/receipts", "who")],
)
def test_somebody_whom_the_workspace_does_not_know_is_told_beside_the_field(site: Site, path: str, field: str) -> None:
    site.person("ann")
    browser = site.signed_in(Role.OWNER, site.other_workspace())

    for kind in ("", ".csv"):
        refused = browser.get(f"{path}{kind}?{field}=telegram:ann")
        assert refused.status_code == 422, kind
        assert f'id="problem-{field}">' in refused.text
        assert "“telegram:ann” is nobody here." in refused.text
