"""`/export` and `/forgetme` in a private chat."""

import io
import zipfile

from sqlalchemy import select, update

from parlour.privacy.holds import add_hold
from parlour.store.ids import UserId
from parlour.store.models import Attachment, Delivery, Message, User
from tests.support.stage import Stage


def _sent(stage: Stage) -> None:
    """Everything that waits reaches its messenger."""
    with stage.platform.database.begin() as session:
        session.execute(update(Delivery).values(state="sent"))


def test_an_export_comes_into_the_private_chat_as_a_file(stage: Stage) -> None:
    stage.answered("keep this")
    stage.command("export")

    done = stage.platform.privacy_requests.carry_out()

    assert (done, stage.platform.privacy_requests.carry_out()) == (1, 0)
    with stage.platform.database.read() as session:
        file = session.scalars(select(Attachment)).one()
    content = stage.platform.sealer.open(UserId(file.user_id), Attachment.content, file.id, file.content or b"")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"keep this" in archive.read("export.json")


def test_whoever_asks_twice_is_forgotten(stage: Stage) -> None:
    stage.answered("keep this")
    stage.command("forgetme")
    once = stage.platform.privacy_requests.carry_out()
    stage.command("forgetme yes")
    unsent = stage.platform.privacy_requests.carry_out()
    _sent(stage)

    stage.platform.privacy_requests.carry_out()

    assert (once, unsent) == (0, 0)
    assert stage.count(User) == 0
    assert stage.count(Message) == 0


def test_a_last_word_that_cannot_be_delivered_holds_nothing_up(stage: Stage) -> None:
    stage.command("forgetme")
    stage.command("forgetme yes")
    stage.clock.advance(61)

    stage.platform.privacy_requests.carry_out()

    assert stage.count(User) == 0


def test_a_second_word_without_a_first_or_too_late_only_asks(stage: Stage) -> None:
    stage.command("forgetme yes")
    stage.clock.advance(601)
    stage.command("forgetme yes")
    stage.clock.advance(61)

    stage.platform.privacy_requests.carry_out()

    assert stage.count(User) == 1
    assert "/forgetme yes" in stage.messages()[-1]


def test_in_a_group_nobody_is_forgotten_or_exported(stage: Stage) -> None:
    for text in ("forgetme", "forgetme yes", "export"):
        stage.command(text, chat="group", is_private=False)
    stage.clock.advance(61)

    assert stage.platform.privacy_requests.carry_out() == 0
    assert stage.count(User) == 1


def test_whoever_is_under_a_hold_is_told_so(stage: Stage) -> None:
    stage.answered("first")
    parts = stage.platform
    with parts.database.read() as session:
        ann = session.scalars(select(User.id)).one()
    workspace_id = parts.accounts.ensure_workspace()
    add_hold(
        parts.database, parts.privacy, workspace_id=workspace_id, user_id=ann, reason="Case 17", actor="command:test"
    )
    stage.command("forgetme")
    stage.command("forgetme yes")
    stage.clock.advance(61)

    parts.privacy_requests.carry_out()

    assert stage.count(User) == 1
    assert "legal hold" in stage.messages()[-1]
