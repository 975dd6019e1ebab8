"""The command line, as typed in a data folder of a test's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from parlour.people.admit import Access, Person, admit
from parlour.settings import load
from parlour.turns.ports import Sender
from tests.support.command import Command, typed
from tests.support.passwords import passwords_cost_little
from tests.support.storage import Storage, open_storage

__all__ = ["parlour", "passwords_cost_little", "storage", "write_first"]


@pytest.fixture
def parlour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in a data folder of this test's own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLOUR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: typed(capsys, *arguments)


@pytest.fixture
def storage(parlour: Command) -> Iterator[Storage]:
    """What the first start of Parlour makes."""
    settings = load()
    with open_storage(settings.database_url, settings.keys_url, settings.key_file) as opened:
        yield opened


def write_first(
    storage: Storage, external_id: str, policy: Literal["open", "pairing"] = "open", *, workspace: str = "default"
) -> Person:
    """Who writes from Telegram for the first time, or again, where that policy holds."""
    workspace_id = storage.workspace(workspace)
    with storage.database.begin() as session:
        person = admit(
            session,
            storage.privacy,
            Access(policy),
            workspace_id=workspace_id,
            channel="telegram",
            sender=Sender(external_id, f"Name of {external_id}"),
            now=storage.database.clock.now(),
        )
    assert person is not None
    return person
