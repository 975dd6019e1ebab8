"""Replacing the key that wraps all others, with who did it and why in the audit log: for commands and pages alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parlour.privacy.audit import Deed, record
from parlour.privacy.rotation import retire, rewrap
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId


@dataclass(frozen=True, slots=True)
class Order:
    """Who has keys changed, and why. A reason is sealed under the key of a workspace, which must be named with it."""

    actor: str
    reason: str | None = None
    workspace_id: WorkspaceId | None = None


def rotate_keys(database: Database, privacy: Privacy, order: Order) -> str:
    """Make a new key-encryption key, which wraps from now on, and return its id.

    What older ones wrap goes on opening; `wrap_anew` brings it under the new one.
    """
    # Written down after: its id is known only once it is made, and where this breaks off nothing is lost.
    kek_id = privacy.provider.rotate()
    _write_down(database, privacy, order, "keys.rotate", [kek_id])
    return kek_id


def wrap_anew(
    database: Database, privacy: Privacy, order: Order, *, step: Callable[[int], object] = lambda _: None
) -> int:
    """Bring under the newest key what older ones wrap, and return how many keys that were. Told `step` by step."""
    _write_down(database, privacy, order, "keys.rewrap", [privacy.provider.current_kek])
    return rewrap(privacy.key_store, privacy.provider, step=step)


def retire_keys(database: Database, privacy: Privacy, order: Order) -> Sequence[str]:
    """Destroy the older keys that wrap nothing any more, and return their ids.

    Written down before: no key is ever gone without an entry, whatever breaks off.
    """
    return retire(
        privacy.key_store,
        privacy.provider,
        note=lambda going: _write_down(database, privacy, order, "keys.retire", going),
    )


def _write_down(database: Database, privacy: Privacy, order: Order, action: str, kek_ids: Sequence[str]) -> None:
    # Without a reason it is an entry of no workspace. With one it is listed to all the same: `audit_list`.
    workspace_id = order.workspace_id if order.reason else None
    with database.begin() as session:
        for kek_id in kek_ids:
            deed = Deed(order.actor, action, kek_id[:64], workspace_id, order.reason)
            record(session, privacy, deed, now=database.clock.now())
