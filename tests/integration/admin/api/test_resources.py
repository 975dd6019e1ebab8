"""What a program does with turns, rules, holds, keys, the audit, receipts and skills."""

import json
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from parlour.privacy.audit import LONGEST_REASON, tail
from parlour.skills.inbox import SkillInbox
from parlour.store.ids import TurnId, UserId, WorkspaceId, new_id
from parlour.store.models import Feedback, Turn
from parlour.turns import feedback_list
from tests.integration.admin.api.conftest import Api
from tests.integration.admin.api.things import skill_of, things_of


def _actions(api: Api) -> list[str]:
    return [one.action for one in tail(api.stage.platform.database, api.stage.platform.privacy)]


# ---- turns, conversations, feedback ------------------------------------------------------------------------------


def test_turns_are_listed_dropped_and_tried_again(api: Api, other: Api) -> None:
    first, second = (api.stage.say(text, sender=who) for text, who in (("One", "ann"), ("Two", "bob")))
    other.stage.say("Three", sender="cem")

    page = api.get("/v1/turns?limit=1").json()
    rest = api.get("/v1/turns", params={"limit": 1, "cursor": page["next"]}).json()
    dropped = api.post(f"/v1/turns/{first.turn_id}/drop").json()
    api.stage.queue.take()
    again = api.post(f"/v1/turns/{first.turn_id}/retry")

    assert [one["id"] for one in page["items"] + rest["items"]] == [str(first.turn_id), str(second.turn_id)]
    assert rest["next"] is None
    assert (dropped["state"], again.status_code, again.json()["state"]) == ("dropped", 202, "queued")
    assert api.stage.queue.take() == [TurnId(UUID(str(first.turn_id)))]
    assert api.post(f"/v1/turns/{second.turn_id}/retry").status_code == 409
    assert _actions(api)[:2] == ["turn.retry", "turn.drop"]


def test_a_turn_is_tried_again_later_while_the_broker_is_away(api: Api) -> None:
    taken = api.stage.say("One")
    api.post(f"/v1/turns/{taken.turn_id}/drop")
    api.stage.queue.is_down = True

    answer = api.post(f"/v1/turns/{taken.turn_id}/retry")

    assert (answer.status_code, answer.json()["is_published"]) == (202, False)


def test_stuck_work_is_told_with_its_remedy(api: Api, other: Api) -> None:
    taken = api.stage.say("One")
    other.stage.say("Two")
    api.stage.clock.advance(3600)

    (stuck,) = api.get("/v1/turns/stuck").json()["items"]

    assert (stuck["id"], stuck["kind"]) == (str(taken.turn_id), "turn")
    assert stuck["remedy"]
    assert api.get("/v1/overview").json()["stuck"] == 1


def test_conversations_come_by_page_and_tell_nothing_of_what_was_said(api: Api, other: Api) -> None:
    for who in ("ann", "bob", "cem"):
        api.person(who)
    other.person("dee")

    page = api.get("/v1/conversations?limit=2").json()
    rest = api.get("/v1/conversations", params={"limit": 2, "cursor": page["next"]}).json()
    turns = api.get(f"/v1/conversations/{page['items'][0]['id']}/turns").json()

    assert len({one["id"] for one in page["items"] + rest["items"]}) == 3
    assert rest["next"] is None
    assert len(turns["items"]) == 1
    assert "Hello" not in json.dumps([page, rest, turns])


def test_conversations_are_narrowed_by_bot_and_time(api: Api, other: Api) -> None:
    api.person("ann")
    api.stage.pass_time(3600)
    between = api.stage.clock.now()
    api.stage.pass_time(3600)
    api.person("bob")
    first, second = (one["id"] for one in reversed(api.get("/v1/conversations").json()["items"]))

    def found(**wanted: str) -> list[str]:
        return [one["id"] for one in api.get("/v1/conversations", params=wanted).json()["items"]]

    assert found(since=between.isoformat()) == [second]
    assert found(until=between.isoformat()) == [first]
    assert found(account_id=str(api.stage.account_id)) == [second, first]
    assert found(account_id=str(other.stage.account_id)) == []


# ---- rules, holds, receipts --------------------------------------------------------------------------------------


def test_a_rule_is_tried_out_set_seen_and_cleared(api: Api, other: Api) -> None:
    api.person("ann")
    api.stage.clock.advance(40 * 86_400)
    rule = {"data_class": "message", "days": 30, "channel": "telegram"}

    tried = api.post("/v1/retention/preview", rule).json()["items"]
    done = api.ask("PUT", "/v1/retention", json=rule).json()
    shown = api.get("/v1/retention").json()["rules"]
    gone = api.post("/v1/retention/run").json()["items"]

    assert [(one["table"], one["rows"]) for one in tried] == [("messages", 2)]
    assert done["redated"] == 2
    assert {**rule, "conversation_id": None} in shown
    assert {**rule, "conversation_id": None} not in other.get("/v1/retention").json()["rules"]
    assert [(one["table"], one["rows"]) for one in gone] == [("messages", 2)]
    assert api.post("/v1/retention/clear", {"data_class": "message", "channel": "telegram"}).json()["was_there"]
    assert not api.post("/v1/retention/clear", {"data_class": "message", "channel": "telegram"}).json()["was_there"]


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 1_000_000}, {"data_class": "mesage"}, {"channel": "x", "conversation_id": None}]
)
def test_a_rule_that_makes_no_sense_is_refused(api: Api, wrong: dict[str, Any]) -> None:
    answer = api.ask("PUT", "/v1/retention", json={"data_class": "message", "days": 30, **wrong})

    assert answer.status_code in {404, 422}


def test_a_hold_is_placed_by_a_messengers_id_on_the_person_of_the_tokens_workspace(api: Api, other: Api) -> None:
    api.person("ann")
    theirs = other.person("ann")

    placed = other.post("/v1/holds", {"reason": "Case 17", "handle": "telegram:ann"})

    assert placed.status_code == 201
    assert [one["user_id"] for one in other.get("/v1/holds").json()["items"]] == [str(theirs)]
    assert api.get("/v1/holds").json()["items"] == []
    assert other.post("/v1/holds", {"reason": "Case 17", "handle": "telegram:nobody"}).status_code == 404


def test_a_hold_stands_against_an_erasure_until_it_is_released(api: Api, other: Api) -> None:
    ann = api.person("ann")
    hold = api.post("/v1/holds", {"reason": "Case 17", "user_id": str(ann)}).json()["id"]

    refused = api.post(f"/v1/people/{ann}/erase")
    (shown,) = api.get("/v1/holds").json()["items"]

    assert (refused.status_code, shown["id"], shown["reason"]) == (409, hold, "Case 17")
    assert other.get("/v1/holds").json()["items"] == []
    assert other.post("/v1/holds", {"reason": "x", "user_id": str(ann)}).status_code == 404
    for nothing_or_both in ({}, {"user_id": None}, {"user_id": str(ann), "workspace": True}):
        assert api.post("/v1/holds", {"reason": "x", **nothing_or_both}).status_code == 422
    assert api.post("/v1/holds", {"reason": "x", "user_id": str(ann), "handle": "telegram:ann"}).status_code == 422
    assert api.post(f"/v1/holds/{hold}/release", {"reason": "closed"}).status_code == 204
    assert api.get("/v1/holds").json()["items"] == []
    assert len(api.get("/v1/holds?released=true").json()["items"]) == 1
    assert api.post(f"/v1/people/{ann}/erase").status_code == 200


def test_a_receipt_is_printed_again_and_one_changed_byte_is_seen(api: Api) -> None:
    ann = api.person("ann")
    receipt = api.post(f"/v1/people/{ann}/erase").json()["receipt"]

    printed = api.get(f"/v1/receipts/{ann}").json()

    assert printed["receipt"] == receipt
    assert api.post("/v1/receipts/verify", {"receipt": receipt}).json()["subjects"] == [str(ann)]
    assert api.post("/v1/receipts/verify", {"receipt": receipt.replace("1", "2", 1)}).status_code == 422
    assert api.post("/v1/receipts/verify", {"receipt": receipt, "public_key": "AAAA"}).status_code == 422


# ---- keys, audit -------------------------------------------------------------------------------------------------


def test_keys_are_rotated_and_wrapped_anew_and_what_was_sealed_opens(api: Api) -> None:
    ann = api.person("ann")
    before = api.get("/v1/keys").json()

    rotated = api.post("/v1/keys/rotate").json()
    done = api.post("/v1/keys/rewrap?retire=true").json()

    assert rotated["wraps_with"] != before["wraps_with"]
    assert done["rewrapped"] >= before["data_keys"]
    assert done["destroyed"] == [before["wraps_with"]]
    assert api.get("/v1/keys").json()["wrapped_by_an_older_key"] == 0
    assert api.get(f"/v1/people/{ann}").json()["identities"][0]["name"] == "Ann"


def test_the_audit_is_read_by_page_and_verified(api: Api, other: Api) -> None:
    ann, fay = api.person("ann"), other.person("fay")
    api.post(f"/v1/people/{ann}/block")
    other.post(f"/v1/people/{fay}/block")

    page = api.get("/v1/audit?limit=1").json()
    entries = api.get("/v1/audit").json()["items"]
    found = api.get("/v1/audit", params={"action": "user.", "subject": str(ann)}).json()["items"]

    assert page["items"] == entries[:1]
    assert api.get("/v1/audit", params={"limit": 1, "cursor": page["next"]}).json()["items"] == entries[1:2]
    assert [one["action"] for one in found] == ["user.block"]
    assert str(fay) not in json.dumps(entries)
    assert api.post("/v1/audit/verify").json()["is_whole"] is True


def test_erasures_are_listed_page_by_page(api: Api, other: Api) -> None:
    erased = [str(api.person(name)) for name in ("ann", "bob", "eve")]
    for who in erased:
        api.post(f"/v1/people/{who}/erase")
        api.stage.clock.advance(1)

    first = api.get("/v1/receipts?limit=2").json()
    second = api.get(f"/v1/receipts?limit=2&cursor={first['next']}").json()

    assert [one["subject_id"] for one in first["items"] + second["items"]] == erased[::-1]
    assert second["next"] is None
    assert other.get("/v1/receipts").json()["items"] == []


# ---- skills ------------------------------------------------------------------------------------------------------


def test_a_skill_is_shown_set_disabled_and_taken_out(api: Api, other: Api) -> None:
    name = skill_of(api, "greenhouse")

    assert api.get(f"/v1/skills/{name}").json()["missing_settings"] == ["key"]
    assert api.ask("PUT", f"/v1/skills/{name}/settings", json={"values": {"key": "s3cret"}}).status_code == 204
    shown = api.get(f"/v1/skills/{name}")
    assert (shown.json()["settings"], shown.json()["missing_settings"]) == ({"tone": "plain"}, [])
    assert "s3cret" not in shown.text
    assert api.ask("PUT", f"/v1/skills/{name}/settings", json={"values": {"tone": 7}}).status_code == 422
    assert api.post(f"/v1/skills/{name}/disable", {"channel": "telegram"}).status_code == 204
    assert api.get("/v1/skills").json()["items"][0]["scopes"] == [
        {"is_enabled": False, "channel": "telegram", "conversation_id": None}
    ]
    assert other.get("/v1/skills").json()["items"] == []
    assert api.get(f"/v1/skills/{name}/schema").json()["properties"]["tone"]["default"] == "plain"
    assert api.get(f"/v1/skills/{name}/jobs").json() == {"items": []}
    assert api.ask("DELETE", f"/v1/skills/{name}").status_code == 204
    assert api.get(f"/v1/skills/{name}").status_code == 404
    assert _actions(api)[:3] == ["skill.remove", "skill.disable", "skill.configure"]


def test_an_event_reaches_the_skill_for_a_person_of_the_workspace_alone(
    api: Api, other: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, ...]] = []

    def tell(self: SkillInbox, workspace_id: WorkspaceId, user_id: UserId, *rest: Any) -> object:
        told.append((workspace_id, user_id, *rest))
        return {"thanks": True}

    monkeypatch.setattr(SkillInbox, "tell", tell)
    name, ann = skill_of(api, "shop"), api.person("ann")
    other.person("fay")
    event = {"name": "bought", "person": "telegram:ann", "arguments": {"item": "lamp"}}

    first, again = [api.post(f"/v1/skills/{name}/events", event, key="one") for _ in range(2)]
    stranger = api.post(f"/v1/skills/{name}/events", {**event, "person": "telegram:fay"})

    assert (first.json(), again.json()) == ({"result": {"thanks": True}}, {"result": None})
    assert told == [(api.workspace_id, ann, "shop", "bought", {"item": "lamp"})]
    assert stranger.status_code == 404


def test_a_skill_that_does_not_come_up_is_a_bad_gateway(api: Api) -> None:
    name = skill_of(api, "shop")
    api.person("ann")

    answer = api.post(f"/v1/skills/{name}/events", {"name": "bought", "person": "telegram:ann"})

    assert answer.status_code == 502


def test_everything_named_in_a_path_is_tried(api: Api) -> None:
    things = things_of(api)

    assert api.get(f"/v1/turns/{things.turn_id}").json()["state"] == "answered"
    assert api.get(f"/v1/conversations/{things.conversation_id}").json()["turns"] == 1
    assert api.get("/v1/feedback").json() == {"items": [], "next": None}
    assert api.get("/v1/feedback/totals").json() == {"up": 0, "down": 0, "is_all": True}


def test_totals_of_feedback_say_whether_all_was_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("ann", "bob", "cem"):
        _thumb_up(api, api.person(who))
    monkeypatch.setattr(feedback_list, "feedback_totals", partial(feedback_list.feedback_totals, at_most=2))

    assert api.get("/v1/feedback/totals").json() == {"up": 2, "down": 0, "is_all": False}


def test_thumbs_and_holds_are_narrowed_by_the_person(api: Api, other: Api) -> None:
    ann, bob, theirs = api.person("ann"), api.person("bob"), other.person("ann")
    for one in (ann, bob):
        _thumb_up(api, one)
        api.post("/v1/holds", {"reason": "Case 17", "user_id": str(one)})
    conversation = api.get("/v1/conversations").json()["items"][0]["id"]
    api.post("/v1/holds", {"reason": "Case 18", "conversation_id": conversation})

    for path in ("/v1/feedback", "/v1/holds"):
        found = api.get(path, params={"user_id": str(ann)}).json()["items"]
        assert [one["user_id"] for one in found] == [str(ann)]
        assert api.get(path, params={"user_id": str(theirs)}).status_code == 404
    (held,) = api.get("/v1/holds", params={"conversation_id": conversation}).json()["items"]
    assert held["reason"] == "Case 18"


def test_a_reason_may_be_as_long_as_in_the_pages_and_no_longer(api: Api) -> None:
    longest, hold = "x" * LONGEST_REASON, {"workspace": True}

    assert api.post("/v1/holds", {"reason": longest + "x", **hold}).status_code == 422
    hold_id = api.post("/v1/holds", {"reason": longest, **hold}).json()["id"]
    assert api.get("/v1/holds").json()["items"][0]["reason"] == longest
    assert api.post(f"/v1/holds/{hold_id}/release", {"reason": longest + "x"}).status_code == 422
    assert api.post(f"/v1/holds/{hold_id}/release", {"reason": longest}).status_code == 204


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2026-01-01T00:00:00"])
@pytest.mark.parametrize("path", ["/v1/audit", "/v1/feedback", "/v1/feedback/totals", "/v1/conversations"])
def test_what_is_no_time_in_utc_is_refused_by_name(api: Api, path: str, moment: str) -> None:
    for name in ("since", "until"):
        refused = api.get(path, params={name: moment})

        assert refused.status_code == 422
        assert [one["field"] for one in refused.json()["errors"]] == [f"query.{name}"]


def _thumb_up(api: Api, user_id: UserId) -> None:
    parts = api.stage.platform
    with parts.database.begin() as session:
        turn_id = session.scalars(select(Turn.id).where(Turn.user_id == user_id)).one()
        row_id, now = new_id(), parts.clock.now()
        session.add(Feedback(id=row_id, turn_id=turn_id, user_id=user_id, is_positive=True, created_at=now))
