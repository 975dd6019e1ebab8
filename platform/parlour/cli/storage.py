"""What commands need that work on stored data alone: database and keys, without broker, bus and engine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from parlour.privacy.service import Privacy, open_privacy
from parlour.settings import Settings, load
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.schema import Schema


@dataclass(frozen=True, slots=True)
class Storage:
    """The opened databases of this installation."""

    settings: Settings
    database: Database
    privacy: Privacy


@contextmanager
def open_storage() -> Iterator[Storage]:
    """Database and keys by this process's settings, closed at the end.

    Raises `SettingsError`, `StoreError` (a schema that is not current among them) and `PrivacyError`.
    """
    settings = load()
    schema.check(settings.database_url, Schema.CONTENT)
    schema.check(settings.keys_url, Schema.KEYS)
    database = Database(settings.database_url, pool_size=1)
    with closing(database), closing(_open_privacy(settings, database)) as privacy:
        yield Storage(settings, database, privacy)


def _open_privacy(settings: Settings, database: Database) -> Privacy:
    # A command run as root must not make a key file that the service cannot read.
    return open_privacy(
        content=database, keys_url=settings.keys_url, key_file=settings.key_file, pool_size=1, may_create=False
    )
