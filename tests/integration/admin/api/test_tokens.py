"""Tokens: what they open, for how long, and that nothing of them is kept."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from parlour.admin.api.tokens import Maker, TokenRefused, create_token, holder_of
from parlour.admin.rights import Right
from parlour.people.states import Role
from parlour.privacy.audit import tail
from parlour.store.api_models import ApiToken
from parlour.turns.gate import RateGate
from tests.integration.admin.api.conftest import Api


def test_a_token_is_told_once_and_only_its_hash_is_kept(api: Api) -> None:
    made = api.post("/v1/tokens", {"name": "dashboard", "role": "auditor"}).json()
    listed = api.get("/v1/tokens").json()["items"]

    assert api.get("/v1/people", token=made["token"]).status_code == 200
    assert [one["name"] for one in listed] == ["for owner", "dashboard"]
    assert all("token" not in one for one in listed)
    with api.stage.platform.database.read() as session:
        stored = b" ".join(repr(vars(row)).encode() for row in session.scalars(select(ApiToken)))
    assert made["token"].encode() not in stored
    assert b"dashboard" not in stored


def test_a_revoked_token_opens_nothing_from_then_on_and_is_revoked_once(api: Api) -> None:
    made = api.post("/v1/tokens", {"name": "x"}).json()

    assert api.ask("DELETE", f"/v1/tokens/{made['id']}").status_code == 204
    assert api.get("/v1/people", token=made["token"]).status_code == 401
    assert api.ask("DELETE", f"/v1/tokens/{made['id']}").status_code == 404


def test_a_token_ends_by_itself(api: Api) -> None:
    token = api.token_of(Role.AUDITOR, days=2)

    api.stage.clock.advance(timedelta(days=2).total_seconds() - 1)
    assert api.get("/v1/people", token=token).status_code == 200
    api.stage.clock.advance(1)
    assert api.get("/v1/people", token=token).status_code == 401


def test_a_token_may_be_no_more_than_what_it_was_made_with(api: Api) -> None:
    makes_tokens = api.token_of(Role.OWNER, [Right.MANAGE_OPERATORS, Right.SEE_PEOPLE])

    def made(**wanted: object) -> int:
        return api.post("/v1/tokens", {"name": "x", **wanted}, token=makes_tokens).status_code

    assert made(role="owner") == 422
    assert made(role="auditor") == 422
    assert made(role="auditor", scopes=["erase people"]) == 422
    assert made(role="auditor", scopes=["see people"]) == 201


@pytest.mark.parametrize(
    ("role", "scopes", "days", "words"),
    [
        (Role.MEMBER, None, 9, "The role member may do nothing over the API. Give one of: auditor, admin, owner."),
        (Role.AUDITOR, [Right.ERASE_PEOPLE], 9, "The role auditor does not have: erase people."),
        (Role.OWNER, None, 0, "A token lasts 1 to 3650 days, not 0."),
        (Role.OWNER, None, 4000, "A token lasts 1 to 3650 days, not 4000."),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    api: Api, role: Role, scopes: list[Right] | None, days: int, words: str
) -> None:
    parts = api.stage.platform
    maker = Maker.at_command_line(api.workspace_id, "command:test")

    with pytest.raises(TokenRefused, match=words.replace(".", r"\.")):
        create_token(parts.database, parts.privacy, maker, name="x", role=role, scopes=scopes, days=days)


def test_an_admins_token_opens_content_only_where_that_is_said(api: Api) -> None:
    person = api.person("ann")

    def export(token: str) -> int:
        return api.post(f"/v1/people/{person}/export", {"reason": "Asked by letter"}, token=token).status_code

    assert export(api.token_of(Role.ADMIN)) == 403
    assert export(api.token_of(Role.ADMIN, [Right.EXPORT_PEOPLE])) == 200


def test_use_is_noted_to_the_minute(api: Api) -> None:
    parts, clock = api.stage.platform, api.stage.clock

    def used() -> object:
        return api.get("/v1/tokens").json()["items"][0]["last_used_at"]

    first = used()
    clock.advance(59)
    assert used() == first
    clock.advance(2)
    assert used() != first
    assert holder_of(parts.database, parts.privacy, api.token) is not None


def test_making_and_revoking_stand_in_the_audit(api: Api) -> None:
    made = api.post("/v1/tokens", {"name": "x"}).json()
    api.ask("DELETE", f"/v1/tokens/{made['id']}")

    parts = api.stage.platform
    done = tail(parts.database, parts.privacy, subject=made["id"])
    owner = api.get("/v1/tokens").json()["items"][0]["id"]
    assert [(one.action, one.actor) for one in done] == [
        ("token.revoke", f"token:{owner}"),
        ("token.create", f"token:{owner}"),
    ]


def test_too_many_requests_are_told_when_to_go_on(api: Api) -> None:
    api.app.state.gate = RateGate(1)

    assert api.get("/v1/people").status_code == 200
    answer = api.get("/v1/people")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
