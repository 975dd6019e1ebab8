"""Every endpoint that the OpenAPI names, tried as nobody, as each role, and with another workspace's ids.

What is new in the API is tried without a word here: an id in its path must be known below, or its test fails.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, select

from parlour.admin.api.app import build_api
from parlour.admin.api.problems import MEDIA_TYPE
from parlour.admin.api.tokens import rights_of
from parlour.admin.rights import Right
from parlour.people.states import Role
from parlour.store.tables import CONTENT
from tests.integration.admin.api.conftest import Api
from tests.integration.admin.api.things import Things, things_of

# Nothing of these tells what there is: asking writes into them.
_OF_ASKING = {"api_tokens", "api_replies"}
SCHEMA = build_api(None).openapi()  # type: ignore[arg-type] # made from the routes alone
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]
NAMED = [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in OPERATIONS]
WITH_IDS = [one for one in NAMED if "{" in str(one.values[1])]


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    """The example that the OpenAPI gives for the body: each has one."""
    found = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if found is None:
        return {}
    reference = found.get("$ref") or next(one["$ref"] for one in found["anyOf"] if "$ref" in one)
    return {"json": SCHEMA["components"]["schemas"][reference.rpartition("/")[2]]["example"]}


def _query(operation: dict[str, Any]) -> dict[str, Any]:
    required = [one for one in operation.get("parameters", []) if one["in"] == "query" and one["required"]]
    return {"params": {one["name"]: one["schema"]["examples"][0] for one in required}} if required else {}


def _problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == MEDIA_TYPE
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    return told


@pytest.mark.parametrize(("method", "path", "operation"), NAMED)
def test_nobody_is_answered(api: Api, method: str, path: str, operation: dict[str, Any]) -> None:
    where = path.replace("{", "").replace("}", "")

    for token in ("", "parlour_" + "x" * 43):
        answer = api.ask(method, where, token=token, key="k", **_body(operation))

        assert (answer.status_code, _problem(answer)["title"]) == (401, "Unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "operation"), NAMED)
def test_a_parameter_that_is_none_is_named_and_not_left_aside(
    api: Api, method: str, path: str, operation: dict[str, Any]
) -> None:
    where = path.format(**vars(things_of(api)))
    given = _query(operation).get("params", {})

    answer = api.ask(method, where, params={**given, "bogus": "1"}, **_body(operation))

    assert answer.status_code == 422
    assert "no parameter 'bogus'" in _problem(answer)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/nothing", 404, "/api/openapi.json"),
        ("PATCH", "/v1/people", 405, "`Allow`"),
        ("POST", "/v1/holds", 422, "not JSON"),
    ],
)
def test_what_no_endpoint_takes_is_told_what_to_do(api: Api, method: str, path: str, status: int, words: str) -> None:
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}

    answer = api.client.request(method, path, headers=headers, content=b"{" if method == "POST" else b"")

    assert answer.status_code == status
    assert words in _problem(answer)["detail"]


@pytest.mark.parametrize(("method", "path", "operation"), NAMED)
def test_a_right_opens_an_endpoint_and_nothing_else_does(
    api: Api, method: str, path: str, operation: dict[str, Any]
) -> None:
    right = Right(operation["x-right"])
    things = things_of(api)
    where = path.format(**vars(things))
    details = {**_body(operation), **_query(operation)}
    owners = rights_of(Role.OWNER)

    without = api.ask(method, where, token=api.token_of(Role.OWNER, sorted(owners - {right})), **details)
    assert (without.status_code, _problem(without)["title"]) == (403, "Forbidden")
    for role in (Role.AUDITOR, Role.ADMIN):
        if right not in rights_of(role):
            assert api.ask(method, where, token=api.token_of(role), **details).status_code == 403
    answer = api.ask(method, where, token=api.token_of(Role.OWNER, [right]), **details)
    assert answer.status_code not in {401, 403}
    assert str(answer.status_code) in operation["responses"]


@pytest.mark.parametrize(("method", "path", "operation"), WITH_IDS)
def test_another_workspaces_ids_are_answered_as_unknown_ones_and_nothing_changes(
    api: Api, other: Api, method: str, path: str, operation: dict[str, Any]
) -> None:
    theirs, nobodys = vars(things_of(other)), vars(Things.nobodys())
    details = {**_body(operation), **_query(operation)}
    before = _everything(api)

    answers = [api.ask(method, path.format(**ids), **details) for ids in (theirs, nobodys)]

    told = [_without(_problem(answer), ids) for answer, ids in zip(answers, (theirs, nobodys), strict=True)]
    assert answers[0].status_code == 404
    assert told[0] == told[1]
    assert _everything(api) == before


def test_what_opens_nothing_is_no_answer_to_anybody(api: Api) -> None:
    for path in ("/v1/nothing", "/v1/people/x/y/z", "/"):
        assert _problem(api.get(path))["title"] == "Not Found"
    assert _problem(api.ask("PATCH", "/v1/people"))["title"] == "Method Not Allowed"


def test_every_operation_has_a_name_words_a_tag_and_all_its_problems_declared() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    tags = {tag["name"] for tag in SCHEMA["tags"]}

    assert len(set(names)) == len(names)
    for _, _, operation in OPERATIONS:
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        assert {"401", "403", "404", "409", "422", "429", "503"} <= set(operation["responses"])


def _everything(api: Api) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with api.stage.platform.database.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in _tables()
        }


def _tables() -> Iterator[Table]:
    return (table for table in CONTENT.sorted_tables if table.name not in _OF_ASKING)


def _without(told: dict[str, Any], ids: dict[str, UUID | str]) -> dict[str, Any]:
    text = str(told.get("detail"))
    for one in ids.values():
        text = text.replace(str(one), "…")
    return {**told, "detail": text}


def test_an_id_that_is_none_is_told_without_being_repeated(api: Api) -> None:
    answer = api.get(f"/v1/people/{uuid4()}x")

    assert answer.status_code == 422
    assert _problem(answer)["errors"][0]["field"] == "path.user_id"
