"""What keeps workspaces apart holds on PostgreSQL too: every endpoint with another workspace's ids, at one go."""

from tests.integration.admin.api.conftest import Api
from tests.integration.admin.api.test_every_endpoint import WITH_IDS, _body, _everything, _problem, _query, _without
from tests.integration.admin.api.things import Things, things_of
from tests.support import postgres_stage

migrated, make_stage, stage = postgres_stage.migrated, postgres_stage.make_stage, postgres_stage.stage


def test_another_workspaces_ids_are_answered_as_unknown_ones_on_postgres(api: Api, other: Api) -> None:
    assert api.stage.settings.database_url.startswith("postgresql")
    theirs, nobodys = vars(things_of(other)), vars(Things.nobodys())
    before = _everything(api)

    for method, path, operation in (one.values for one in WITH_IDS):
        details = {**_body(operation), **_query(operation)}  # type: ignore[arg-type]
        answers = [api.ask(str(method), str(path).format(**ids), **details) for ids in (theirs, nobodys)]

        told = [_without(_problem(answer), ids) for answer, ids in zip(answers, (theirs, nobodys), strict=True)]
        assert answers[0].status_code == 404, path
        assert told[0] == told[1], path
    assert _everything(api) == before


def test_lists_of_one_workspace_hold_nothing_of_another_on_postgres(api: Api, other: Api) -> None:
    theirs = {str(one) for one in vars(things_of(other)).values()}

    for path in ("people", "turns", "conversations", "holds", "receipts", "audit", "skills", "feedback", "tokens"):
        answer = api.get(f"/v1/{path}")
        assert answer.status_code == 200, path
        assert not [one for one in theirs if one in answer.text], path
