"""An export holds everything about the person, and nothing of anybody else."""

import io
import json
import zipfile
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from parlour.privacy.classes import SEALED_BY_MENTION, mention_columns, model_of, personal_tables, user_columns
from parlour.privacy.errors import KeyShredded
from parlour.privacy.export import _LEFT_OUT, _OF_WORKSPACE, Export, export_person
from parlour.privacy.holds import add_hold
from parlour.privacy.persons import SubjectUnknown
from parlour.store.ids import SubjectId, UserId, WorkspaceId
from parlour.store.models import Message, User
from parlour.store.privacy_models import AuditEntry
from parlour.store.skill_models import SkillDocument
from parlour.store.tables import CONTENT
from parlour.store.types import Sealed
from tests.support.rows import fill
from tests.support.stage import Stage


def _told(made: Export) -> tuple[dict[str, Any], str]:
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        return json.loads(archive.read("export.json")), archive.read("export.html").decode()


def _export(stage: Stage, user_id: UUID) -> Export:
    return export_person(stage.platform.database, stage.platform.privacy, user_id, actor="command:test")


def _filled(stage: Stage) -> UserId:
    """Rows in every table, sealed under the keys that they are sealed under in earnest; the first person of three."""
    parts = stage.platform
    with parts.database.begin() as session:
        fill(session.connection(), CONTENT)
        # The chain goes on behind them.
        session.execute(delete(AuditEntry))
        person = session.scalars(select(User.id).where(User.role.like("role%")).order_by(User.id)).first()
        assert person is not None
        workspace = session.get_one(User, person).workspace_id
    parts.privacy.keyring.create(UserId(person))
    parts.privacy.keyring.create(WorkspaceId(workspace))
    with parts.database.begin() as session:
        for table in personal_tables():
            names = [*user_columns(table), *mention_columns(table)]
            for column in table.columns:
                if not isinstance(column.type, Sealed):
                    continue
                by = SEALED_BY_MENTION.get((table.name, column.name), "user_id")
                subject: SubjectId = UserId(person)
                if (table.name, column.name) in _OF_WORKSPACE:
                    subject, by = WorkspaceId(workspace), "user_id"
                assert by in names
                for row_id in session.scalars(select(table.c.id).where(table.c[by] == person)).all():
                    place = getattr(model_of(table), column.name)
                    sealed = parts.sealer.seal(subject, place, row_id, f"said in {table.name}.{column.name}")
                    session.execute(table.update().where(table.c.id == row_id).values({column.name: sealed}))
    return UserId(person)


def test_every_table_with_a_user_column_and_every_sealed_column_is_in_it(stage: Stage) -> None:
    """A new table or column that the export does not know fails here."""
    person = _filled(stage)

    told, page = _told(_export(stage, person))

    with_people = {
        table.name for table in CONTENT.tables.values() if "user_id" in table.columns or table.name == "users"
    }
    assert {name for name, rows in told["tables"].items() if rows} >= with_people
    for table in personal_tables():
        for column in table.columns:
            if isinstance(column.type, Sealed) and (table.name, column.name) not in _LEFT_OUT:
                marker = f"said in {table.name}.{column.name}"
                assert marker in json.dumps(told)
                assert marker in page


def test_a_hold_on_the_person_is_told_without_why_and_by_whom(stage: Stage) -> None:
    parts, ann = stage.platform, stage.turn(stage.answered("hello")).user_id
    hold = add_hold(
        parts.database,
        parts.privacy,
        workspace_id=parts.accounts.ensure_workspace(),
        user_id=ann,
        reason="Insider trading inquiry",
        actor="command:counsel",
    )

    told, page = _told(_export(stage, ann))

    (row,) = told["tables"]["legal_holds"]
    assert (row["id"], row["user_id"]) == (str(hold), str(ann))
    assert row["created_at"] == stage.clock.now().isoformat()
    assert row.keys().isdisjoint({"reason", "placed_by"})
    for secret in ("Insider trading", "counsel"):
        assert secret not in json.dumps(told) + page


def test_what_others_wrote_is_not_in_it(stage: Stage) -> None:
    stage.answered("Ann's words", sender="ann", chat="group", is_private=False)
    stage.answered("Bob's words", sender="bob", chat="group", is_private=False)
    with stage.platform.database.read() as session:
        ann = session.scalars(select(Message.user_id).order_by(Message.id)).first()
    assert ann is not None

    told, page = _told(_export(stage, ann))

    assert "Ann's words" in json.dumps(told)
    assert "Bob's words" not in json.dumps(told) + page


def test_what_a_person_wrote_is_text_and_no_markup(stage: Stage) -> None:
    stage.answered("<script>alert(1)</script>")
    with stage.platform.database.read() as session:
        ann = session.scalars(select(Message.user_id)).first()
    assert ann is not None

    _, page = _told(_export(stage, ann))

    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("text", ["[" * 1_200, "[" * 400 + "]" * 400, '{"a":1,"a":2}', "[1.0, 1e400]"])
def test_what_a_person_wrote_is_told_as_they_wrote_it_though_it_looks_like_data(stage: Stage, text: str) -> None:
    stage.answered(text)
    with stage.platform.database.read() as session:
        ann = session.scalars(select(Message.user_id)).first()
    assert ann is not None

    told, _ = _told(_export(stage, ann))

    assert text in [row["body"] for row in told["tables"]["messages"]]
    assert told["tables"]["conversations"][0]["address"]["is_private"]


def test_a_skills_document_is_told_as_data_unless_it_is_nested_without_end(stage: Stage) -> None:
    person, parts = _filled(stage), stage.platform
    bodies = ['{"text": "mine"}', '{"deep": ' + "[" * 900 + "]" * 900 + "}"]
    with parts.database.begin() as session:
        row = session.scalars(select(SkillDocument).where(SkillDocument.user_id == person)).one()

    found = []
    for body in bodies:
        with parts.database.begin() as session:
            sealed = parts.sealer.seal(person, SkillDocument.body, row.id, body)
            session.execute(update(SkillDocument).where(SkillDocument.id == row.id).values(body=sealed))
        found.append(_told(_export(stage, person))[0]["tables"]["skill_documents"][0]["body"])

    assert found == [{"text": "mine"}, bodies[1]]


def test_nobody_and_the_erased_have_no_export(stage: Stage) -> None:
    stage.answered("first")
    with stage.platform.database.read() as session:
        ann = session.scalars(select(Message.user_id)).first()
    assert ann is not None
    stage.platform.eraser.erase(ann, actor="command:test")

    with pytest.raises(SubjectUnknown):
        _export(stage, ann)
    with pytest.raises(SubjectUnknown):
        _export(stage, UUID(int=7))


def test_an_export_beside_which_its_person_is_erased_is_none_and_stands_nowhere(stage: Stage) -> None:
    """It looked before the erasure was written down, and opens what it read once the key is gone."""
    stage.answered("first")
    with stage.platform.database.read() as session:
        ann = session.scalars(select(Message.user_id)).first()
    assert ann is not None
    stage.shred(ann)

    with pytest.raises(KeyShredded):
        _export(stage, ann)

    assert stage.count(AuditEntry) == 0
