"""`/people`, as a program sees it."""

import io
import json
import zipfile
from uuid import UUID

import pytest

from parlour.people import consent
from parlour.people.pairing import CODE_LIFE, code_hash, pairing_code
from parlour.people.states import Role
from parlour.privacy.audit import tail
from parlour.privacy.receipts import verify_receipt
from parlour.store.ids import UserId
from parlour.store.models import User
from tests.integration.admin.api.conftest import Api


def _pages(api: Api, path: str, **params: object) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        told = api.get(path, params={**params, **({"cursor": cursor} if cursor else {})}).json()
        pages.append([one["id"] for one in told["items"]])
        cursor = told["next"]
        if cursor is None:
            return pages


def test_people_come_in_pages_and_none_of_another_workspace(api: Api, other: Api) -> None:
    people = [str(api.person(name)) for name in ("ann", "bob", "cem", "dee", "eve")]
    other.person("fay")

    assert _pages(api, "/v1/people", limit=2) == [people[:2], people[2:4], people[4:]]
    assert _pages(api, "/v1/people", limit=5) == [people]
    assert _pages(api, "/v1/people", role="admin") == [[]]


def test_a_person_is_found_by_handle_in_their_own_workspace_alone(api: Api, other: Api) -> None:
    ann = api.person("ann")

    def found(asking: Api, **params: str) -> list[str]:
        return [
            one["id"] for one in asking.get("/v1/people", params={"handle": "telegram:ann", **params}).json()["items"]
        ]

    assert found(api) == [str(ann)]
    assert found(other) == []
    assert found(api, state="blocked") == []
    assert api.get("/v1/people?handle=ann").status_code == 422


@pytest.mark.parametrize("change", ["other list", "other filter", "other workspace", "a letter", "nonsense"])
def test_a_cursor_is_good_for_its_own_list_alone(api: Api, other: Api, change: str) -> None:
    for name in ("ann", "bob", "cem"):
        api.person(name)
    cursor = api.get("/v1/people?limit=1").json()["next"]
    asked = {
        "other list": (api, "/v1/tokens", cursor),
        "other filter": (api, "/v1/people?role=member", cursor),
        "other workspace": (other, "/v1/people", cursor),
        "a letter": (api, "/v1/people", cursor[:-1] + ("A" if cursor[-1] != "A" else "B")),
        "nonsense": (api, "/v1/people", "é"),
    }
    asking, path, given = asked[change]

    answer = asking.get(path, params={**dict([part.split("=") for part in path.split("?")[1:]]), "cursor": given})

    assert answer.status_code == 422
    assert "The cursor is none of this list." in answer.json()["detail"]


def test_roles_and_blocks_are_what_the_command_line_does(api: Api) -> None:
    ann = api.person("ann")

    assert api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "owner"}).json()["role"] == "owner"
    assert api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "guest"}).status_code == 409  # the last owner
    assert api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "king"}).status_code == 422
    assert api.post(f"/v1/people/{ann}/unblock").status_code == 409


def test_why_is_asked_for_nowhere_and_taken_everywhere(api: Api) -> None:
    ann, parts, why = api.person("ann"), api.stage.platform, {"reason": "case 17"}

    api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "guest", **why})
    api.post(f"/v1/people/{ann}/block", why)
    api.post(f"/v1/people/{ann}/unblock", why)
    api.post("/v1/keys/rotate", why)
    api.post("/v1/keys/rewrap?retire=true", why)
    api.ask("PUT", "/v1/retention", json={"data_class": "feedback", "days": 30, **why})
    api.post("/v1/retention/clear", {"data_class": "feedback", **why})
    api.post("/v1/retention/run", why)
    api.post(f"/v1/people/{ann}/block", {"reason": "  "})

    last, *before = tail(parts.database, parts.privacy, limit=10)
    assert (last.action, last.reason) == ("user.block", None)
    assert {one.action.split()[0]: one.reason for one in before} == dict.fromkeys(
        [
            "user.role.guest",
            "user.block",
            "user.unblock",
            "keys.rotate",
            "keys.rewrap",
            "keys.retire",
            "retention.set",
            "retention.clear",
            "retention.run",
        ],
        "case 17",
    )


def test_each_step_of_a_persons_consent_is_told(api: Api) -> None:
    ann, parts = api.person("ann"), api.stage.platform
    assert api.get(f"/v1/people/{ann}").json()["consent_steps"] == []
    with parts.database.begin() as session:
        consent.ask(session, ann, language="en", now=parts.clock.now())
        consent.decide(session, ann, is_given=True, language="en", now=parts.clock.now())

    told = api.get(f"/v1/people/{ann}").json()

    assert told["consent"] == "given"
    assert [(one["decision"], one["version"], one["language"]) for one in told["consent_steps"]] == [
        ("asked", consent.VERSION, "en"),
        ("given", consent.VERSION, "en"),
    ]


@pytest.mark.parametrize("stage", [{"quotas": {"user_turns": 5}}], indirect=True)
def test_what_a_person_used_of_their_quota_is_told(api: Api) -> None:
    ann = api.person("ann")
    assert api.person("ann") == ann

    (used,) = api.get(f"/v1/people/{ann}").json()["used_today"]

    assert (used["scope"], used["unit"], used["used"], used["limit"]) == ("user", "turns", 2, 5)


def test_a_stranger_is_admitted_by_code_in_their_own_workspace_alone(api: Api, other: Api) -> None:
    ann = api.person("ann")
    code = _make_pending(api, ann)

    assert other.post("/v1/people/approve", {"code": code}).status_code == 404
    told = api.post("/v1/people/approve", {"code": code, "role": "guest"})

    assert (told.status_code, told.json()) == (200, {"id": str(ann), "role": "guest", "state": "active"})
    assert api.post("/v1/people/approve", {"code": code}).status_code == 404


@pytest.mark.parametrize("role", ["auditor", "admin", "owner"])
def test_a_pairing_code_makes_nobody_more_than_a_member(api: Api, role: str) -> None:
    """Who may let people in may not therefore give roles."""
    ann = api.person("ann")
    code = _make_pending(api, ann)

    refused = api.post("/v1/people/approve", {"code": code, "role": role}, token=api.token_of(Role.ADMIN))

    assert refused.status_code == 422
    assert f"no {role}" in refused.json()["detail"]
    assert api.get(f"/v1/people/{ann}").json()["state"] == "pending"


def _make_pending(api: Api, user_id: UUID) -> str:
    parts = api.stage.platform
    with parts.database.begin() as session:
        user = session.get_one(User, user_id)
        user.state, user.pairing_until = "pending", parts.clock.now() + CODE_LIFE
        code = pairing_code(parts.lookup, UserId(user_id), user.pairing_until)
        user.pairing_hash = code_hash(parts.lookup, code)
    return code


def test_an_export_holds_what_they_wrote(api: Api) -> None:
    ann = api.person("ann")

    answer = api.post(f"/v1/people/{ann}/export", {"reason": "Asked by letter"})

    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        told = json.loads(opened.read("export.json"))
    assert "Hello, I am ann." in json.dumps(told)


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}])
def test_nothing_is_opened_without_a_reason(api: Api, body: dict[str, str] | None) -> None:
    ann = api.person("ann")

    assert api.post(f"/v1/people/{ann}/export", body).status_code == 422


def test_an_erasure_gives_a_receipt_that_verifies_and_is_done_once(api: Api, other: Api) -> None:
    ann = api.person("ann")

    done = api.post(f"/v1/people/{ann}/erase", {"reason": "Asked by letter"})
    again = api.post(f"/v1/people/{ann}/erase")

    assert str(ann) in verify_receipt(done.json()["receipt"].encode())["subjects"]
    assert again.status_code == 409
    assert done.json()["receipt_id"] in again.json()["detail"]
    assert api.get(f"/v1/people/{ann}").status_code == 404
    assert other.post(f"/v1/people/{ann}/erase").status_code == 404


def test_a_misspelt_name_in_a_body_is_told_and_its_value_is_not(api: Api) -> None:
    answer = api.post(f"/v1/people/{api.person('ann')}/erase", {"reasn": "secret words"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body.reasn", "problem": "Extra inputs are not permitted"}]


def test_a_role_that_may_not_is_refused_before_anything_is_looked_up(api: Api) -> None:
    answer = api.post(f"/v1/people/{api.person('ann')}/erase", token=api.token_of(Role.AUDITOR))

    assert answer.status_code == 403
    assert "erase people" in answer.json()["detail"]
