"""The proof of an erasure: nothing can be found or read again, here or in a backup taken before."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from parlour.privacy.errors import KeyShredded
from parlour.privacy.models import DataKeyRow
from parlour.store.database import Database
from parlour.store.ids import UserId
from parlour.store.models import Message
from parlour.turns.ports import IncomingAttachment
from tests.support.leaks import find_bytes
from tests.support.stage import Stage

SAID = "marker-said-3f81c2"
ANSWERED = "marker-answered-77ab"
NAME = "marker-name-5d0e91"
FILE = "marker-file-name-a6"


def test_after_an_erasure_neither_data_nor_a_backup_can_be_read(stage: Stage, tmp_path: Path) -> None:
    file = IncomingAttachment(FILE, "image/jpeg", "marker-reference-1")
    stage.answered(SAID, says=(ANSWERED,), sender=NAME, attachments=(file,))
    parts, data = stage.platform, tmp_path / "data"
    with parts.database.read() as session:
        ann = UserId(session.scalars(select(Message.user_id)).first() or pytest.fail("nobody wrote"))
    with parts.privacy.key_store.read() as session:
        wrapped = session.get_one(DataKeyRow, ann).wrapped
    assert wrapped is not None
    parts.database.checkpoint()
    backup = shutil.copy(data / "parlour.sqlite", tmp_path / "backup.sqlite")
    was_there = find_bytes_raw(wrapped, data / "keys")

    parts.eraser.erase(ann, actor="command:test")

    places: list[Path | str] = [data, stage.settings.database_url, stage.settings.keys_url, Path(backup)]
    assert find_bytes([SAID, ANSWERED, NAME, FILE], *places) == []
    # The wrapped key itself is gone from file and log, not only from its row.
    assert (was_there, find_bytes_raw(wrapped, data / "keys")) == (True, False)
    with closing(Database(f"sqlite:///{backup}")) as old, old.read() as session:
        rows = session.scalars(select(Message).where(Message.user_id == ann)).all()
    assert rows
    for row in rows:
        with pytest.raises(KeyShredded):
            parts.sealer.open(ann, Message.body, row.id, row.body)


def find_bytes_raw(wanted: bytes, folder: Path) -> bool:
    """Whether the bytes stand in any file there."""
    return any(wanted in path.read_bytes() for path in folder.rglob("*") if path.is_file())
