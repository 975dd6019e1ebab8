"""A whole place to store things in: both databases migrated, keys made."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from parlour.people.accounts import AccountBook
from parlour.privacy.service import Privacy, open_privacy
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.schema import Schema
from tests.fakes.clock import FakeClock


@dataclass(frozen=True, slots=True)
class Storage:
    """An opened place, and where its parts are, so that a test can open it again or spoil it."""

    database: Database
    privacy: Privacy
    keys_url: str
    key_file: Path
    clock: FakeClock

    def accounts(self, workspace: str = "default") -> AccountBook:
        """The workspace's accounts."""
        return AccountBook(database=self.database, privacy=self.privacy, clock=self.clock, workspace=workspace)

    def workspace(self, name: str = "default") -> WorkspaceId:
        """A workspace, made on first call."""
        return self.accounts(name).ensure_workspace()


@contextmanager
def open_storage(url: str, keys_url: str, key_file: Path) -> Iterator[Storage]:
    """Migrate and open; closed at the end."""
    schema.upgrade(url, Schema.CONTENT)
    schema.upgrade(keys_url, Schema.KEYS)
    database = Database(url)
    with (
        closing(database),
        closing(open_privacy(content=database, keys_url=keys_url, key_file=key_file)) as privacy,
    ):
        yield Storage(database, privacy, keys_url, key_file, FakeClock())
