"""`/keys`: the state of the keys, and a new key to wrap them. They are the whole installation's."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.reasons import Why, reason_of
from parlour.admin.api.resource import resource
from parlour.admin.rights import Right
from parlour.privacy.key_changes import Order, retire_keys, rotate_keys, wrap_anew
from parlour.privacy.rotation import waiting
from parlour.privacy.status import keys_status

router = resource()


class KeysShown(BaseModel):
    """How many data keys there are, under which key-encryption keys, and how many were shredded."""

    provider: str
    wraps_with: str = Field(description="The key-encryption key that wraps from now on.")
    data_keys: int
    by_kek: Mapping[str, int]
    wrapped_by_an_older_key: int
    shredded: int
    tombstones: int


class Rotated(BaseModel):
    """A new key-encryption key."""

    wraps_with: str
    wrapped_by_an_older_key: int = Field(description="Go on with `POST /v1/keys/rewrap`.")


class Rewrapped(BaseModel):
    """What was wrapped anew, and which older keys were destroyed."""

    rewrapped: int
    destroyed: Sequence[str]


@router.get("/keys", summary="Show the keys' state")
def status(caller: Annotated[Caller, sees(Right.SEE_KEYS)]) -> KeysShown:
    """The key store in numbers."""
    parts = caller.platform
    found = keys_status(parts.privacy)
    return KeysShown(
        provider=parts.settings.keys.provider,
        wraps_with=found.current_kek,
        data_keys=found.data_keys,
        by_kek=found.by_kek,
        wrapped_by_an_older_key=waiting(parts.privacy.key_store, parts.privacy.provider),
        shredded=found.shredded,
        tombstones=found.tombstones,
    )


@router.post("/keys/rotate", summary="Make a new key-encryption key")
def rotate(caller: Annotated[Caller, changes(Right.MANAGE_KEYS)], why: Why | None = None) -> Rotated:
    """It wraps from now on; what older ones wrap goes on opening."""
    parts = caller.platform
    kek_id = rotate_keys(parts.database, parts.privacy, _order(caller, why))
    return Rotated(wraps_with=kek_id, wrapped_by_an_older_key=waiting(parts.privacy.key_store, parts.privacy.provider))


@router.post("/keys/rewrap", summary="Wrap keys anew")
def rewrap(
    caller: Annotated[Caller, changes(Right.MANAGE_KEYS)],
    why: Why | None = None,
    *,
    retire: Annotated[bool, Query(description="Then destroy older keys that wrap nothing any more.")] = False,
) -> Rewrapped:
    """Bring under the newest key what older ones wrap, while all runs. Broken off, it goes on when asked again."""
    parts, order = caller.platform, _order(caller, why)
    done = wrap_anew(parts.database, parts.privacy, order)
    gone = retire_keys(parts.database, parts.privacy, order) if retire else ()
    return Rewrapped(rewrapped=done, destroyed=gone)


def _order(caller: Caller, why: Why | None) -> Order:
    return Order(caller.actor, reason_of(why), caller.workspace_id)
