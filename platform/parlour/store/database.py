"""A database: transactions to write in, transactions to read in, and its clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock, get_ident

from sqlalchemy import Engine, func, make_url, select, text
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from parlour.store import together
from parlour.store.clock import Clock, DatabaseClock
from parlour.store.connect import Use, connect, place_of
from parlour.store.errors import DatabaseLocked, DatabaseUnavailable

# SQLite's field holds 31 bits of seconds: they last until 2093.
_MARK_EVERY_S = 10.0
_MARKS_FROM = datetime(2025, 1, 1, tzinfo=UTC)
# How far the clock is taken back each time it is set; and what was set back further is taken for a clock that was
# wrong before, and followed at once.
_STEP_BACK = timedelta(seconds=1)
_FOLLOWED_SLOWLY = timedelta(days=1)


class Database:
    """One database and this process's connections to it. Safe to use from many threads."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_timeout_s: float = 10.0,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`wall_clock` is what an SQLite database goes by; PostgreSQL has its own."""
        self.url = url
        self._wall_clock = wall_clock
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.place = place_of(url)
        self._busy_timeout_s = busy_timeout_s
        self._engine = connect(url, pool_size=pool_size, busy_timeout_s=busy_timeout_s)
        # SQLite has connections of their own for each way to use it: changing a connection's ways at every transaction
        # would take a statement each.
        self._reader, self._swift = (
            [connect(url, pool_size=pool_size, busy_timeout_s=busy_timeout_s, use=use) for use in (Use.READ, Use.SWIFT)]
            if self.is_sqlite
            else [together.gather(self._engine), self._engine]
        )
        # SQLite has one writer at a time. Waiting here wakes at once, where its own waiting sleeps in growing steps.
        self._writing = Lock()
        self._writer: int | None = None
        self._next_mark = 0.0
        self._clock = DatabaseClock(self._ask_time)

    @property
    def clock(self) -> Clock:
        """The database's time."""
        return self._clock

    @contextmanager
    def begin(self, *, is_durable: bool = True) -> Iterator[Session]:
        """A transaction to write in: committed at the end, rolled back by an exception.

        `is_durable=False` does not wait for SQLite's disk: a power cut, though no crash of this process, may take the
        last ones back. It is for what the next start finds out anew: a lease, or what a messenger has said. On
        PostgreSQL every commit waits, since this process lives on when the server's machine does not.

        Raises `StoreError`s, and SQLAlchemy's `IntegrityError` where a constraint refused the caller's row.
        """
        engine = self._engine if is_durable else self._swift
        with self._turn_to_write(), self._session(engine) as session, session.begin():
            # Begins now and not at the first statement: whoever waits for the lock waits here.
            session.connection()
            self._set_clock(session)
            self._mark_time(session)
            yield session
            _commit_with_what_waits(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction to read in, one consistent view on SQLite; writing in it fails."""
        with self._session(self._reader) as session:
            self._set_clock(session)
            yield session
            # Not rolled back: after a rollback psycopg forgets what it has prepared, and PostgreSQL plans all anew.
            if session.is_active:
                _commit_with_what_waits(session)
                session.commit()

    def ping(self) -> None:
        """Raises a `StoreError` when the database cannot be read."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def checkpoint(self) -> bool:
        """Bring SQLite's write-ahead log into the file and empty it; False while a reader is in the way."""
        with self._turn_to_write(), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def close(self) -> None:
        """Let go of all connections. The database can be used again after."""
        for engine in (self._reader, self._swift):
            engine.dispose()
        self._engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            # Rows stay readable after the block: use cases hand out what they read.
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except NoConnectionLeft:
            message = f"The database {self.place} has no free connection in this process. Raise database.pool_size."
            raise DatabaseUnavailable(message) from None

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if self._writer == get_ident():
            raise RuntimeError("begin() inside begin() of the same thread would wait for itself. Pass the session on.")
        if not self._writing.acquire(timeout=self._busy_timeout_s):
            raise DatabaseLocked(f"The database {self.place} is locked by a write of this process that does not end.")
        self._writer = get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._writing.release()

    def _set_clock(self, session: Session) -> None:
        if self._clock.is_stale:
            self._clock.set(lambda: self._time_in(session))

    def _mark_time(self, session: Session) -> None:
        if self.is_sqlite and time.monotonic() >= self._next_mark:
            mark = int((self._clock.now() - _MARKS_FROM).total_seconds())
            session.execute(text(f"PRAGMA user_version = {mark}"))
            self._next_mark = time.monotonic() + _MARK_EVERY_S

    def _time_in(self, session: Session) -> datetime:
        if self.is_sqlite:
            return self._time_of_file(session)
        told: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return told.astimezone(UTC)

    def _time_of_file(self, session: Session) -> datetime:
        """The machine's time, which every process that can open the file shares; but set back it is followed slowly.

        Leases and due dates stand in the file. By a clock that was set back ten minutes nothing would be due, and no
        lease of a dead process over, for as long. So the file keeps the newest time it was written at (in a field of
        its header that is there for applications), for those who start after the clock was set back.
        """
        wall = self._wall_clock()
        mark = _MARKS_FROM + timedelta(seconds=session.execute(text("PRAGMA user_version")).scalar_one())
        latest = max(mark, self._clock.now() - _STEP_BACK if self._clock.is_set else mark)
        return latest if wall < latest < wall + _FOLLOWED_SLOWLY else wall

    def _ask_time(self) -> datetime:
        with self._session(self._reader) as session:
            return self._time_in(session)


def _commit_with_what_waits(session: Session) -> None:
    session.flush()
    if session.in_transaction():
        together.commit(session.connection())
