"""A whole place to store things in: both databases migrated, keys made."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from parlour.people.accounts import AccountBook
from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy, open_privacy
from parlour.store.database import Database
from parlour.store.ids import SubjectId, WorkspaceId
from parlour.store.schema import Schema
from tests.fakes.clock import START, FakeClock
from tests.support.migrated import migrate


@dataclass(frozen=True, slots=True)
class Storage:
    """An opened place, and where its parts are, so that a test can open it again or spoil it."""

    database: Database
    privacy: Privacy
    keys_url: str
    key_file: Path
    clock: FakeClock

    @property
    def retention(self) -> Retention:
        """How long things are kept where no rule is set, as the settings have it."""
        return Retention(keep_messages=timedelta(days=90), keep_profiles=timedelta(days=365))

    def shred(self, subject: SubjectId) -> None:
        """Destroy the subject's key behind the platform's back, as another process would."""
        shred(self.privacy.key_store, subject)

    def accounts(self, workspace: str = "default") -> AccountBook:
        """The workspace's accounts."""
        return AccountBook(database=self.database, privacy=self.privacy, clock=self.clock, workspace=workspace)

    def workspace(self, name: str = "default") -> WorkspaceId:
        """A workspace, made on first call."""
        return self.accounts(name).ensure_workspace()


def shred(key_store: Database, subject: SubjectId) -> None:
    """Empty the subject's wrapped key and set a tombstone."""
    with key_store.begin() as session:
        row = session.get_one(DataKeyRow, subject)
        row.wrapped, row.shredded_at = None, START
        session.add(Tombstone(subject_id=subject, at=START))


@contextmanager
def open_storage(url: str, keys_url: str, key_file: Path) -> Iterator[Storage]:
    """Migrate and open; closed at the end."""
    migrate(url)
    migrate(keys_url, Schema.KEYS)
    database = Database(url)
    with (
        closing(database),
        closing(open_privacy(content=database, keys_url=keys_url, key_file=key_file)) as privacy,
    ):
        yield Storage(database, privacy, keys_url, key_file, FakeClock())
