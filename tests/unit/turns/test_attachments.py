"""Fetching files after their message is safe."""

import asyncio

import pytest
from sqlalchemy import select, update

from parlour.store.ids import UserId
from parlour.store.models import Attachment
from parlour.turns.attachments import Fetcher
from parlour.turns.ports import IncomingAttachment, NotSent, Rejected, Throttled
from tests.fakes.turns import FakeMessenger
from tests.support.sqlite_stage import MakeStage
from tests.support.stage import Stage, until


@pytest.fixture
def messenger(stage: Stage) -> FakeMessenger:
    return FakeMessenger(stage.account_id)


def files(stage: Stage) -> list[Attachment]:
    with stage.platform.database.read() as session:
        return list(session.scalars(select(Attachment).order_by(Attachment.id)))


def send_file(stage: Stage, reference: str, *, sender: str = "ann") -> None:
    stage.say("look", sender=sender, attachments=(IncomingAttachment("a.bin", "application/x", reference),))


async def fetched(stage: Stage, messenger: FakeMessenger, *, rounds: int = 1, max_bytes: int = 1_000) -> None:
    """Let the fetcher look so often."""
    fetcher = Fetcher(messenger=messenger, store=stage.platform.attachments, max_bytes=max_bytes)
    for _ in range(rounds):
        for wanted in await asyncio.to_thread(stage.platform.attachments.wanted, stage.account_id):
            await fetcher._fetch(wanted)


async def test_a_file_is_fetched_and_stored_sealed(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.files["ref"] = b"the content of the file"
    send_file(stage, "ref")

    await fetched(stage, messenger)

    (row,) = files(stage)
    assert (row.state, row.size) == ("stored", 23)
    assert row.content is not None
    assert b"content" not in row.content
    opened = stage.platform.sealer.open(UserId(row.user_id), Attachment.content, row.id, row.content)
    assert opened == b"the content of the file"


@pytest.mark.parametrize("content", [b"the content of the file", b""])
def test_a_file_that_came_with_its_message_is_stored_sealed_and_never_fetched(stage: Stage, content: bytes) -> None:
    stage.say("look", attachments=(IncomingAttachment("a.bin", "application/x", "", len(content), content),))

    (row,) = files(stage)
    assert (row.state, row.size) == ("stored", len(content))
    assert row.content is not None
    assert row.content != content
    opened = stage.platform.sealer.open(UserId(row.user_id), Attachment.content, row.id, row.content)
    assert opened == content
    assert stage.platform.attachments.wanted(stage.account_id) == []


def test_a_file_that_came_with_its_message_and_is_too_large_is_not_kept(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_attachment_bytes": 4})

    stage.say("look", attachments=(IncomingAttachment("a.bin", "application/x", "", 5, b"water"),))

    (row,) = files(stage)
    assert (row.state, row.content) == ("too_large", None)


async def test_the_fetcher_looks_by_itself(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.files["ref"] = b"x"
    send_file(stage, "ref")
    fetcher = Fetcher(messenger=messenger, store=stage.platform.attachments, max_bytes=10)
    task = asyncio.create_task(fetcher.run())

    await until(lambda: files(stage)[0].state == "stored")

    task.cancel()


async def test_a_file_larger_than_announced_is_not_kept(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.files["ref"] = b"x" * 101
    send_file(stage, "ref")

    await fetched(stage, messenger, max_bytes=100)

    (row,) = files(stage)
    assert (row.state, row.content) == ("too_large", None)


async def test_a_file_that_is_gone_is_given_up(stage: Stage, messenger: FakeMessenger) -> None:
    messenger.fail("fetch", Rejected("gone"))
    send_file(stage, "ref")

    await fetched(stage, messenger)

    assert files(stage)[0].state == "failed"


@pytest.mark.parametrize("error", [NotSent(), Throttled(retry_after_s=1), RuntimeError("unforeseen")])
async def test_trouble_is_tried_again_and_given_up_at_the_fifth_time(
    stage: Stage, messenger: FakeMessenger, error: Exception
) -> None:
    messenger.fail("fetch", error, times=None)
    send_file(stage, "ref")

    await fetched(stage, messenger, rounds=4)
    assert files(stage)[0].state == "waiting"
    await fetched(stage, messenger)

    assert files(stage)[0].state == "failed"


async def test_a_row_that_does_not_open_holds_up_no_other_file(stage: Stage, messenger: FakeMessenger) -> None:
    """G10."""
    messenger.files["ref"] = b"x"
    send_file(stage, "damaged")
    with stage.platform.database.begin() as session:
        session.execute(update(Attachment).values(reference=b"damaged"))
    send_file(stage, "ref", sender="ben")

    await fetched(stage, messenger)

    assert [row.state for row in files(stage)] == ["failed", "stored"]


async def test_files_of_another_account_are_left_alone(stage: Stage, messenger: FakeMessenger) -> None:
    other = stage.platform.accounts.register("slack", "other", "Other")
    stage.say("look", account_id=other, attachments=(IncomingAttachment("a", "b", "ref"),))

    await fetched(stage, messenger)

    assert files(stage)[0].state == "waiting"
