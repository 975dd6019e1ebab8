"""How often somebody may try to sign in: by name, by address, and by both, counted in SQL for all gateways."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.privacy.lookup import Lookup
from parlour.store.operator_models import SigninCount

WINDOW: Final = timedelta(minutes=15)
# Whoever guesses at one name from many addresses is stopped later than from one: else anybody could lock anybody out.
BY_NAME_AND_ADDRESS: Final = 10
BY_ADDRESS: Final = 50
BY_NAME: Final = 200


def is_too_often(session: Session, lookup: Lookup, name_hash: bytes | None, address: str, *, now: datetime) -> bool:
    """Count this try, and tell whether there were too many. To be committed before any password is looked at.

    Whoever comes from the identity provider has no name yet, and is counted by the address alone.
    """
    session.execute(delete(SigninCount).where(SigninCount.ends_at <= now))
    limits = {lookup.hash("signin address", address): BY_ADDRESS}
    if name_hash is not None:
        limits[_both(lookup, name_hash, address)] = BY_NAME_AND_ADDRESS
        limits[lookup.hash("signin name", name_hash.hex())] = BY_NAME
    # In one order everywhere, so that two tries never wait for each other.
    counted = {key: _count(session, key, now) for key in sorted(limits)}
    return any(counted[key] > limit for key, limit in limits.items())


def forget_tries(session: Session, lookup: Lookup, name_hash: bytes, address: str) -> None:
    """Start counting anew for who has just signed in from there."""
    session.execute(delete(SigninCount).where(SigninCount.lookup_hash == _both(lookup, name_hash, address)))


def _both(lookup: Lookup, name_hash: bytes, address: str) -> bytes:
    return lookup.hash("signin", name_hash.hex(), address)


def _count(session: Session, key: bytes, now: datetime) -> int:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    counted = (
        dialect.insert(SigninCount)
        .values(lookup_hash=key, tries=1, ends_at=now + WINDOW)
        .on_conflict_do_update(
            index_elements=["lookup_hash"],
            set_={
                "tries": case((SigninCount.ends_at <= now, 1), else_=SigninCount.tries + 1),
                "ends_at": case((SigninCount.ends_at <= now, now + WINDOW), else_=SigninCount.ends_at),
            },
        )
        .returning(SigninCount.tries)
    )
    return int(session.execute(counted).scalar_one())
