"""How often somebody may try to sign in: by name, by address, and by both, counted in SQL for all gateways."""

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Spent:
    """What there were too many tries of."""

    by_name: bool
    by_address: bool


def count_try(session: Session, lookup: Lookup, name_hash: bytes, address: str, *, now: datetime) -> Spent:
    """Count this try, and tell of what there were too many. To be committed before any password is looked at."""
    of_address = lookup.hash("signin address", address)
    of_name = {
        _both(lookup, name_hash, address): BY_NAME_AND_ADDRESS,
        lookup.hash("signin name", name_hash.hex()): BY_NAME,
    }
    counted = _count_all(session, [of_address, *of_name], now)
    is_name_spent = any(counted[key] > limit for key, limit in of_name.items())
    return Spent(is_name_spent, counted[of_address] > BY_ADDRESS)


def is_return_too_often(session: Session, lookup: Lookup, address: str, *, now: datetime) -> bool:
    """Count this return from the identity provider, which has no name yet, and tell whether there were too many.

    It is counted apart from passwords: who guesses at them keeps nobody from coming by the provider.
    """
    key = lookup.hash("signin return", address)
    return _count_all(session, [key], now)[key] > BY_ADDRESS


def forget_tries(session: Session, lookup: Lookup, name_hash: bytes, address: str) -> None:
    """Start counting anew for who has just signed in from there."""
    session.execute(delete(SigninCount).where(SigninCount.lookup_hash == _both(lookup, name_hash, address)))


def _both(lookup: Lookup, name_hash: bytes, address: str) -> bytes:
    return lookup.hash("signin", name_hash.hex(), address)


def _count_all(session: Session, keys: Iterable[bytes], now: datetime) -> dict[bytes, int]:
    session.execute(delete(SigninCount).where(SigninCount.ends_at <= now))
    # In one order everywhere, so that two tries never wait for each other.
    return {key: _count(session, key, now) for key in sorted(keys)}


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
