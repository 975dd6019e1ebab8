"""Rules, holds, keys, the audit log and conversations in the pages: what they do, refuse, and write down."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from parlour.people.admit import Access, admit
from parlour.people.states import Role
from parlour.privacy.audit import AuditView, tail
from parlour.privacy.holds import add_hold, list_holds
from parlour.privacy.rotation import waiting
from parlour.store.ids import new_id
from parlour.store.models import Conversation, Feedback, Message
from parlour.store.privacy_models import AuditEntry, AuditHead, LegalHold, RetentionRule
from parlour.turns.ports import Sender
from tests.unit.admin.pages.conftest import Browser, Site

REASON = "Complaint 17 about a wrong answer"
LISTS = ("/admin/conversations", "/admin/feedback", "/admin/holds", "/admin/audit")
PAGES = (*LISTS, "/admin/retention", "/admin/retention/run", "/admin/keys", "/admin/messengers", "/admin/stuck")


def deeds(site: Site) -> list[str]:
    """What the operators did, oldest first; without how they came to be."""
    found: list[AuditView] = tail(site.stage.platform.database, site.stage.platform.privacy)
    return [one.action for one in reversed(found) if not one.action.startswith(("login", "operator", "sign"))]


def conversation_of(site: Site) -> UUID:
    with site.stage.platform.database.read() as session:
        return session.scalars(select(Conversation.id).order_by(Conversation.created_at.desc())).first() or new_id()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_shows_in_both_languages(site: Site, language: str) -> None:
    site.person("ann")
    browser = site.signed_in()

    for path in (*PAGES, f"/admin/conversations/{conversation_of(site)}"):
        shown = browser.get(path, **{"Accept-Language": language})
        assert shown.status_code == 200, path
        assert f'lang="{language}"' in shown.text
        assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("role", [Role.GUEST, Role.MEMBER])
def test_who_talks_alone_sees_none_of_these_pages(site: Site, role: Role) -> None:
    browser = site.signed_in(role)

    assert {browser.get(path).status_code for path in PAGES} == {403}


def test_an_auditor_sees_all_and_changes_nothing(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in(Role.AUDITOR)
    conversation = conversation_of(site)
    forms = (
        "/admin/retention/preview",
        "/admin/retention/set",
        "/admin/retention/clear",
        "/admin/retention/run",
        "/admin/holds",
        f"/admin/holds/{new_id()}/lift",
        "/admin/keys/rotate",
        "/admin/keys/rewrap",
        f"/admin/conversations/{conversation}/open",
        f"/admin/turns/{new_id()}/retry",
        f"/admin/turns/{new_id()}/drop",
    )

    assert {browser.get(path).status_code for path in PAGES} == {200}
    assert {browser.send(path, reason=REASON, sure="yes").status_code for path in forms} == {403}
    assert "/open" not in browser.get(f"/admin/conversations/{conversation}").text
    assert deeds(site) == []


def test_an_admin_opens_no_content_and_makes_no_key(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in(Role.ADMIN)

    assert browser.send(f"/admin/conversations/{conversation_of(site)}/open", reason=REASON).status_code == 403
    assert browser.send("/admin/keys/rotate", sure="yes").status_code == 403
    assert deeds(site) == []


def test_another_workspaces_ids_are_as_unknown_as_those_of_nothing(site: Site) -> None:
    ann = site.person("ann")
    parts, turn = site.stage.platform, site.stage.turns()[0].id
    hold = add_hold(parts.database, parts.privacy, workspace_id=site.workspace_id, reason="Case 17", actor="a")
    stranger = site.signed_in(Role.OWNER, site.other_workspace())
    before = deeds(site)

    def answers(some_id: object, path: str, **fields: str) -> tuple[int, str]:
        asked = path.replace("ID", str(some_id))
        fields = {name: value.replace("ID", str(some_id)) for name, value in fields.items()}
        got = stranger.send(asked, **fields) if fields else stranger.get(asked)
        text = re.sub(r'value="[0-9a-f]{64}"', "", got.text.replace(str(some_id), "ID"))
        return got.status_code, text

    for known, path, fields in (
        (conversation_of(site), "/admin/conversations/ID", {}),
        (conversation_of(site), "/admin/conversations/ID/open", {"reason": REASON}),
        (conversation_of(site), "/admin/holds", {"kind": "conversation", "who": "ID", "reason": REASON}),
        (ann, "/admin/holds", {"kind": "person", "who": "ID", "reason": REASON}),
        (hold, "/admin/holds/ID/lift", {"reason": REASON}),
        (turn, "/admin/turns/ID", {}),
        (turn, "/admin/turns/ID/retry", {"x": "y"}),
        (turn, "/admin/turns/ID/drop", {"x": "y"}),
        (
            conversation_of(site),
            "/admin/retention/set",
            {"data_class": "message", "scope": "conversation:ID", "days": "30"},
        ),
    ):
        of_another, of_nothing = answers(known, path, **fields), answers(new_id(), path, **fields)
        assert of_another == of_nothing, path
        assert of_another[0] in {404, 422}, path
    assert deeds(site) == before
    for path in LISTS:
        assert str(ann) not in stranger.get(path).text
        assert str(conversation_of(site)) not in stranger.get(path).text


# ---- retention ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"days": "0"}, "days", "“0” is no number of days. Give 1 to 36500"),
        ({"days": "1000000"}, "days", "“1000000” is no number of days. Give 1 to 36500"),
        ({"days": "soon"}, "days", "“soon” is no number of days"),
        ({"data_class": "mesage"}, "data_class", "“mesage” is no kind of data. Choose one of the list."),
        ({"data_class": "profile", "scope": "channel:telegram"}, "scope", "Set it for the whole workspace."),
    ],
)
def test_a_rule_that_cannot_be_says_so_next_to_its_field(
    site: Site, fields: dict[str, str], field: str, words: str
) -> None:
    browser = site.signed_in()
    rule = {"data_class": "message", "scope": "workspace", "days": "30"} | fields

    for path in ("/admin/retention/preview", "/admin/retention/set"):
        refused = browser.send(path, **rule)
        assert refused.status_code == 422
        assert f'id="problem-{field}">' in refused.text
        assert words in refused.text
    assert deeds(site) == []


def test_a_rule_is_previewed_set_and_taken_away(site: Site) -> None:
    site.person("ann")
    site.stage.pass_time(40 * 86_400)
    browser = site.signed_in()
    rule = {"data_class": "message", "scope": "channel:telegram", "days": "30"}

    previewed = browser.send("/admin/retention/preview", **rule)
    assert "messages" in previewed.text
    assert "<td>2</td>" in previewed.text
    assert browser.send("/admin/retention/set", **rule, reason="Policy 3").status_code == 303
    assert "30 days" in browser.get("/admin/retention").text
    due = browser.get("/admin/retention/due?data_class=message&scope=channel:telegram").text
    assert "<strong>2</strong>" in due
    assert browser.send("/admin/retention/clear", **rule).status_code == 303
    assert browser.send("/admin/retention/clear", **rule).status_code == 404

    assert deeds(site) == ["retention.set message 30d", "retention.clear message"]
    with site.stage.platform.database.read() as session:
        assert {row.scope for row in session.scalars(select(RetentionRule))} == {"workspace"}


def test_what_is_past_its_time_is_shown_and_then_deleted(site: Site) -> None:
    site.person("ann")
    site.stage.pass_time(91 * 86_400)
    browser = site.signed_in()

    assert "messages" in browser.get("/admin/retention/run").text
    assert browser.send("/admin/retention/run").status_code == 303
    eventually(lambda: "refresh" not in browser.get("/admin/retention/run").headers)

    assert site.stage.count(Message) == 0
    assert "The last purge deleted" in browser.get("/admin/retention/run").text
    assert deeds(site) == ["retention.run"]


# ---- holds -------------------------------------------------------------------------------------------------------


def test_a_hold_by_a_messengers_id_is_on_the_person_of_this_workspace(site: Site) -> None:
    site.person("ann")
    parts, other = site.stage.platform, site.other_workspace()
    with parts.database.begin() as session:
        sender, now = Sender("ann", "Ann"), parts.clock.now()
        access = Access("open")
        theirs = admit(session, parts.privacy, access, workspace_id=other, channel="telegram", sender=sender, now=now)
    assert theirs is not None

    placed = site.signed_in(Role.OWNER, other).send("/admin/holds", kind="person", who="telegram:ann", reason="Case 17")

    assert placed.status_code == 303
    assert [one.user_id for one in list_holds(parts.database, parts.privacy)] == [theirs.user_id]


def test_a_hold_is_placed_with_a_reason_and_lifted_with_one(site: Site) -> None:
    ann = site.person("ann")
    browser = site.signed_in()

    refused = browser.send("/admin/holds", kind="person", who=str(ann), reason="  ")
    assert refused.status_code == 422
    assert 'id="problem-reason"' in refused.text
    assert browser.send("/admin/holds", kind="person", who="telegram:ann", reason="Case 17").status_code == 303
    assert "Case 17" in browser.get("/admin/holds").text
    with site.stage.platform.database.read() as session:
        (hold,) = session.scalars(select(LegalHold)).all()
    assert hold.user_id == ann
    assert browser.send(f"/admin/holds/{hold.id}/lift", reason="").status_code == 422
    assert browser.send(f"/admin/holds/{hold.id}/lift", reason="Closed").status_code == 303
    assert browser.send(f"/admin/holds/{hold.id}/lift", reason="Closed").status_code == 404

    assert "Case 17" not in browser.get("/admin/holds").text
    assert "Case 17" in browser.get("/admin/holds?which=all").text
    assert deeds(site) == ["hold.add", "hold.release"]


def test_nobody_who_was_erased_can_be_held(site: Site) -> None:
    ann = site.person("ann")
    site.stage.platform.eraser.erase(ann, actor="a")
    browser = site.signed_in()

    refused = browser.send("/admin/holds", kind="person", who=str(ann), reason="Case 17")

    assert refused.status_code == 422
    assert 'id="problem-who"' in refused.text
    assert f"“{ann}” was erased: nothing is left to be held." in refused.text


# ---- keys --------------------------------------------------------------------------------------------------------


def test_a_new_key_asks_once_more_and_wrapping_tells_how_far_it_is(site: Site) -> None:
    site.person("ann")
    privacy, browser = site.stage.platform.privacy, site.signed_in()
    before = privacy.keyring.current_kek

    assert browser.send("/admin/keys/rotate").status_code == 200
    assert privacy.keyring.current_kek == before
    assert browser.send("/admin/keys/rotate", sure="yes").status_code == 303
    behind = waiting(privacy.key_store, privacy.provider)
    assert behind > 0
    assert browser.send("/admin/keys/rewrap").status_code == 303
    eventually(lambda: "refresh" not in browser.get("/admin/keys").headers)

    assert waiting(privacy.key_store, privacy.provider) == 0
    assert "Wrapped anew:" in browser.get("/admin/keys").text
    assert deeds(site) == ["keys.rotate", "keys.rewrap"]


# ---- the audit log -----------------------------------------------------------------------------------------------


def test_the_log_is_filtered_and_a_date_that_is_none_says_so(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in()
    browser.send("/admin/holds", kind="workspace", reason="Case 17")

    assert "Case 17" in browser.get("/admin/audit?action=hold.").text
    assert "Case 17" not in browser.get("/admin/audit?action=user.").text
    assert "Case 17" not in browser.get("/admin/audit?actor=nobody").text
    wrong = browser.get("/admin/audit?since=yesterday")
    assert wrong.status_code == 422
    assert 'id="problem-since"' in wrong.text


def test_an_altered_entry_is_named(site: Site) -> None:
    browser = site.signed_in()
    browser.send("/admin/holds", kind="workspace", reason="Case 17")

    def verified() -> str:
        assert browser.send("/admin/audit/verify").status_code == 303
        eventually(lambda: "refresh" not in browser.get("/admin/audit").headers)
        text: str = browser.get("/admin/audit").text
        return text

    assert "are there, in order and as they were written" in verified()
    with site.stage.platform.database.begin() as session:
        found = session.execute(
            update(AuditEntry).where(AuditEntry.action == "hold.add").values(actor="login:x").returning(AuditEntry.seq)
        )
        seq = found.scalar_one()
    assert f"entry {seq} is altered" in verified()
    with site.stage.platform.database.begin() as session:
        session.execute(update(AuditHead).values(seq=AuditHead.seq + 2))
    assert f"entries {seq + 1} to {seq + 2} are missing" in verified()


def test_a_reason_that_is_a_formula_is_none_in_the_csv(site: Site) -> None:
    browser = site.signed_in()
    browser.send("/admin/holds", kind="workspace", reason='=HYPERLINK("http://evil")')

    for path in ("/admin/audit.csv", "/admin/holds.csv"):
        assert "'=HYPERLINK" in browser.get(path).text
        assert ',"=HYPERLINK' not in browser.get(path).text


# ---- conversations -----------------------------------------------------------------------------------------------


def test_lists_tell_nothing_of_what_was_said(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in()
    conversation = conversation_of(site)

    for path in ("/admin/conversations", f"/admin/conversations/{conversation}", "/admin/conversations.csv"):
        shown = browser.get(path).text
        assert str(conversation) in shown
        assert "Hello, I am ann" not in shown


@pytest.mark.parametrize("reason", ["", "   short   ", "because"])
def test_the_glass_breaks_for_no_short_reason(site: Site, reason: str) -> None:
    site.person("ann")
    browser = site.signed_in()

    refused = browser.send(f"/admin/conversations/{conversation_of(site)}/open", reason=reason)

    assert refused.status_code == 422
    assert 'id="problem-reason"' in refused.text
    assert f"A reason of {len(reason.strip())} characters" in refused.text
    assert "Hello, I am ann" not in refused.text
    assert deeds(site) == []


def test_behind_the_glass_stands_what_was_said_and_no_browser_keeps_it(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in()

    opened = browser.send(f"/admin/conversations/{conversation_of(site)}/open", reason=REASON)

    assert opened.status_code == 200
    assert "Hello, I am ann." in opened.text
    assert opened.headers["cache-control"] == "no-store"
    assert browser.get(f"/admin/conversations/{conversation_of(site)}/open").status_code == 405
    assert deeds(site) == ["content.open"]


def test_older_messages_are_behind_the_glass_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("first words", "second words"):
        site.stage.answered(text, sender="ann")
    browser, path = site.signed_in(), f"/admin/conversations/{conversation_of(site)}/open"
    monkeypatch.setattr("parlour.turns.break_glass.MOST", 2)

    newer = browser.send(path, reason=REASON).text
    before = re.search(r'name="before" value="([^"]+)"', newer)
    assert before is not None
    older = browser.send(path, reason=REASON, before=before[1]).text

    assert ("first words" in newer, "second words" in newer) == (False, True)
    assert ("first words" in older, "second words" in older) == (True, False)
    assert f'name="reason" value="{REASON}"' in newer
    assert 'name="before"' not in older
    assert deeds(site) == ["content.open", "content.open"]


def test_breaking_the_glass_is_logged_even_when_nothing_opens(site: Site) -> None:
    site.person("ann")
    browser = site.signed_in()
    with site.stage.platform.database.begin() as session:
        session.execute(update(Message).values(body=b"no seal at all"))

    failed = browser.send(f"/admin/conversations/{conversation_of(site)}/open", reason=REASON)

    assert failed.status_code >= 500
    assert deeds(site) == ["content.open"]


def test_a_list_goes_on_behind_its_last_row(site: Site) -> None:
    for number in range(51):
        site.stage.say("hi", sender=f"p{number}")
        site.stage.pass_time(1)
    browser = site.signed_in()

    first = browser.get("/admin/conversations").text
    further = re.search(r'href="(/admin/conversations\?after=[^"]+)"', first)
    assert further is not None
    second = browser.get(further.group(1)).text

    seen = [re.findall(r'scope="row"><a href="/admin/conversations/([0-9a-f-]{36})', page) for page in (first, second)]
    assert [len(one) for one in seen] == [50, 1]
    assert not set(seen[0]) & set(seen[1])


# ---- the running of it -------------------------------------------------------------------------------------------


def test_a_turn_is_dropped_and_tried_again(site: Site) -> None:
    taken = site.stage.say("hello")
    browser = site.signed_in()
    path = f"/admin/turns/{taken.turn_id}"

    assert browser.get(f"/admin/turns?turn={taken.turn_id}").headers["location"] == path
    assert browser.send(f"{path}/retry").status_code == 409
    assert browser.send(f"{path}/drop").status_code == 303
    assert site.stage.states() == ["dropped"]
    assert browser.send(f"{path}/retry").status_code == 303

    assert site.stage.states() == ["queued"]
    assert deeds(site) == ["turn.drop", "turn.retry"]
    assert taken.turn_id in site.stage.queue.take()


def test_stuck_turns_lead_to_their_page(site: Site) -> None:
    taken = site.stage.say("hello")
    browser = site.signed_in()
    site.stage.pass_time(301)

    assert f'href="/admin/turns/{taken.turn_id}"' in browser.get("/admin/stuck").text


def test_messengers_tell_their_state(site: Site) -> None:
    site.person("ann")
    ledger = site.stage.ledger()
    ledger.lease = timedelta(days=1)
    assert ledger.hold(site.stage.account_id)
    site.stage.platform.metrics.throttled("telegram")

    shown = site.signed_in().get("/admin/messengers").text

    assert "gateway-1" in shown
    assert "<td>active</td>" in shown
    assert site.stage.platform.metrics.throttled_since_start() == {"telegram": 1}


def test_thumbs_are_counted(site: Site) -> None:
    ann = site.person("ann")
    with site.stage.platform.database.begin() as session:
        session.add(
            Feedback(
                id=new_id(),
                turn_id=site.stage.turns()[0].id,
                user_id=ann,
                is_positive=False,
                created_at=site.stage.clock.now(),
                expires_at=None,
            )
        )
    browser: Browser = site.signed_in()

    assert str(ann) in browser.get("/admin/feedback?thumb=down").text
    assert str(ann) not in browser.get("/admin/feedback?thumb=up").text
