"""What commands need that work on stored data alone: database and keys, without broker, bus and engine."""

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from parlour import logs
from parlour.from_settings import key_provider
from parlour.privacy.retention import Retention
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

    def actor(self) -> str:
        """Who is at the command line, for the audit log: the account of the machine."""
        return f"command:{_account()}"[:64]

    @property
    def retention(self) -> Retention:
        """How long things are kept by the rules, and where there is none."""
        return Retention(
            keep_messages=timedelta(days=self.settings.turns.keep_messages_days),
            keep_profiles=timedelta(days=self.settings.personalisation.keep_days),
        )


def operator_settings() -> Settings:
    """This process's settings, with logs out of the way: a command prints what was asked for, and one line on trouble.

    Events go to stderr, and those below errors only where debug output is set. Raises `SettingsError`.
    """
    settings = load()
    logs.set_up(level="debug" if settings.log.level == "debug" else "error", style=settings.log.format)
    return settings


@contextmanager
def open_storage() -> Iterator[Storage]:
    """Database and keys by this process's settings, closed at the end.

    Raises `SettingsError`, `StoreError` (a schema that is not current among them) and `PrivacyError`.
    """
    settings = operator_settings()
    schema.check(settings.database_url, Schema.CONTENT)
    schema.check(settings.keys_url, Schema.KEYS)
    database = Database(settings.database_url, pool_size=1)
    with closing(database), closing(_open_privacy(settings, database)) as privacy:
        yield Storage(settings, database, privacy)


def _open_privacy(settings: Settings, database: Database) -> Privacy:
    # A command run as root must not make a key file that the service cannot read.
    return open_privacy(
        content=database,
        keys_url=settings.keys_url,
        key_file=settings.key_file,
        pool_size=1,
        may_create=False,
        remote=key_provider(settings),
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except OSError:  # an id that has no name here, as in containers
        return str(os.getuid())
