"""Driver errors as errors of ours. The databases themselves show most of them in the integration tests."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from parlour.store.errors import (
    DatabaseFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnavailable,
    StoreError,
)
from parlour.store.translate import translate


def _raised(driver_error: psycopg.Error) -> DBAPIError:
    wrapped = DBAPIError.instance("SELECT 1", {}, driver_error, psycopg.Error)
    assert isinstance(wrapped, DBAPIError)
    return wrapped


@pytest.mark.parametrize(
    ("driver_error", "expected"),
    [
        (errors.DiskFull(), DatabaseFull),
        (errors.TooManyConnections(), DatabaseUnavailable),
        (errors.DeadlockDetected(), DatabaseLocked),
        (errors.SerializationFailure(), DatabaseLocked),
        (errors.LockNotAvailable(), DatabaseLocked),
        (errors.QueryCanceled(), DatabaseLocked),
        (errors.ReadOnlySqlTransaction(), DatabaseReadOnly),
        (errors.AdminShutdown(), DatabaseUnavailable),
        (errors.CannotConnectNow(), DatabaseUnavailable),
        (errors.InvalidPassword(), DatabaseUnavailable),
        (errors.InvalidCatalogName(), DatabaseUnavailable),
    ],
)
def test_postgres_says_what_is_wrong_by_its_state(driver_error: psycopg.Error, expected: type[StoreError]) -> None:
    found = translate(_raised(driver_error), place="postgresql://db/parlour", is_connection_lost=False)

    assert type(found) is expected
    assert "postgresql://db/parlour" in str(found)


def test_a_fault_of_the_statement_is_left_as_it_is() -> None:
    found = translate(_raised(errors.UndefinedColumn()), place="db", is_connection_lost=False)

    assert found is None


def test_the_drivers_words_are_left_out() -> None:
    found = translate(_raised(errors.DiskFull("could not write 'secret words'")), place="db", is_connection_lost=False)

    assert "secret" not in str(found)
