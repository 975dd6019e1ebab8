"""Replacing the key that wraps all others, with who did it in the audit log: for commands and pages alike."""

from collections.abc import Callable, Sequence

from parlour.privacy.audit import Deed, record
from parlour.privacy.rotation import retire, rewrap
from parlour.privacy.service import Privacy
from parlour.store.database import Database


def rotate_keys(database: Database, privacy: Privacy, *, actor: str) -> str:
    """Make a new key-encryption key, which wraps from now on, and return its id.

    What older ones wrap goes on opening; `wrap_anew` brings it under the new one.
    """
    kek_id = privacy.provider.rotate()
    _write_down(database, privacy, Deed(actor, "keys.rotate", kek_id[:64]))
    return kek_id


def wrap_anew(
    database: Database, privacy: Privacy, *, actor: str, step: Callable[[int], object] = lambda _: None
) -> int:
    """Bring under the newest key what older ones wrap, and return how many keys that were. Told `step` by step."""
    _write_down(database, privacy, Deed(actor, "keys.rewrap", privacy.provider.current_kek[:64]))
    return rewrap(privacy.key_store, privacy.provider, step=step)


def retire_keys(database: Database, privacy: Privacy, *, actor: str) -> Sequence[str]:
    """Destroy the older keys that wrap nothing any more, and return their ids."""
    gone = retire(privacy.key_store, privacy.provider)
    for kek_id in gone:
        _write_down(database, privacy, Deed(actor, "keys.retire", kek_id[:64]))
    return gone


def _write_down(database: Database, privacy: Privacy, deed: Deed) -> None:
    with database.begin() as session:
        record(session, privacy, deed, now=database.clock.now())
