"""One request sent twice is done once."""

import pytest
from sqlalchemy import select, update

from parlour.people.states import Role
from parlour.privacy.audit import tail
from parlour.store.api_models import ApiReply
from tests.integration.admin.api.conftest import Api


def _actions(api: Api) -> list[str]:
    return [one.action for one in tail(api.stage.platform.database, api.stage.platform.privacy)]


def test_a_request_that_is_sent_twice_is_done_once_and_answered_twice(api: Api) -> None:
    ann = api.person("ann")

    first, again = [api.post(f"/v1/people/{ann}/block", key="one") for _ in range(2)]

    assert (
        (again.status_code, again.json())
        == (first.status_code, first.json())
        == (
            200,
            {"id": str(ann), "role": None, "state": "blocked"},
        )
    )
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert _actions(api).count("user.block") == 1


def test_an_answer_without_a_body_is_told_again(api: Api) -> None:
    made = api.post("/v1/tokens", {"name": "x"}).json()

    answers = [api.ask("DELETE", f"/v1/tokens/{made['id']}", key="one") for _ in range(2)]

    assert [(one.status_code, one.content) for one in answers] == [(204, b""), (204, b"")]


@pytest.mark.parametrize("path", ["/block", "/unblock"])
def test_a_key_is_for_one_request(api: Api, path: str) -> None:
    ann = api.person("ann")
    api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "admin"}, key="one")

    assert api.post(f"/v1/people/{ann}{path}", key="one").status_code == 422
    assert api.ask("PUT", f"/v1/people/{ann}/role", json={"role": "guest"}, key="one").status_code == 422
    assert api.get(f"/v1/people/{ann}").json()["role"] == "admin"


def test_another_token_has_keys_of_its_own(api: Api) -> None:
    ann = api.person("ann")

    api.post(f"/v1/people/{ann}/block", key="one")
    answer = api.post(f"/v1/people/{ann}/unblock", key="one", token=api.token_of(Role.OWNER))

    assert (answer.status_code, answer.json()["state"]) == (200, "active")


def test_a_new_token_is_not_told_a_second_time(api: Api) -> None:
    first, again = [api.post("/v1/tokens", {"name": "x"}, key="one").json() for _ in range(2)]

    assert first["token"].startswith("parlour_")
    assert again == {**first, "token": None}


def test_what_was_refused_may_be_tried_again(api: Api) -> None:
    ann = api.person("ann")

    refused = api.post(f"/v1/people/{ann}/unblock", key="one")
    api.post(f"/v1/people/{ann}/block")
    done = api.post(f"/v1/people/{ann}/unblock", key="one")

    assert (refused.status_code, done.status_code) == (409, 200)


def test_a_request_that_is_being_answered_is_not_begun_again(api: Api) -> None:
    ann = api.person("ann")
    api.post(f"/v1/people/{ann}/block", key="one")
    with api.stage.platform.database.begin() as session:
        session.execute(update(ApiReply).values(status=None))

    answer = api.post(f"/v1/people/{ann}/block", key="one")

    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


def test_an_answer_is_forgotten_after_a_day_and_sealed_until_then(api: Api) -> None:
    ann = api.person("ann")
    api.post(f"/v1/people/{ann}/block", key="one")
    with api.stage.platform.database.read() as session:
        (kept,) = session.scalars(select(ApiReply)).all()
    assert kept.body is not None
    assert str(ann).encode() not in kept.body

    api.stage.clock.advance(24 * 3600 + 1)
    api.post(f"/v1/people/{ann}/unblock", key="two")

    with api.stage.platform.database.read() as session:
        assert [row.id for row in session.scalars(select(ApiReply))] != [kept.id]
    assert api.stage.count(ApiReply) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
def test_what_is_no_key_is_told(api: Api, key: str) -> None:
    answer = api.post(f"/v1/people/{api.person('ann')}/block", key=key)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header.Idempotency-Key"
