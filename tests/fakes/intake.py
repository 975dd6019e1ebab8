"""An intake and an account book for channels under test: in memory, able to fail, safe to call from threads."""

from threading import Lock
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from parlour.store.errors import DatabaseUnavailable
from parlour.store.ids import AccountId, TurnId, new_id
from parlour.turns.ports import Incoming, Taken, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ACCOUNTS = UUID("6f2d9c1e-5b1e-4a53-9a44-0d6a3f3c7a10")


class FakeIntake:
    """Commits events to a list, each once. `fail` makes the next calls fail before they commit."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures: list[Exception] = []
        self._is_down = False
        self._seen: set[tuple[AccountId, str]] = set()
        self.committed: list[Incoming] = []
        # Every call, failed and repeated ones too.
        self.calls: list[Incoming] = []
        # Called inside `receive`, before anything is committed: a test can look at what is acknowledged by then.
        self.before_commit: Callable[[Incoming], None] = lambda _: None

    def receive(self, incoming: Incoming) -> Taken:
        """Commit the event, or fail as told."""
        self.before_commit(incoming)
        with self._lock:
            self.calls.append(incoming)
            if self._is_down:
                raise DatabaseUnavailable("the test's database is away")
            if self._failures:
                raise self._failures.pop(0)
            if (incoming.account_id, incoming.event_id) in self._seen:
                return Taken(Verdict.DUPLICATE)
            self._seen.add((incoming.account_id, incoming.event_id))
            self.committed.append(incoming)
            return Taken(Verdict.ACCEPTED, turn_id=TurnId(new_id()))

    def receive_all(self, events: "Sequence[Incoming]") -> list[Taken]:
        """Commit the events, each once, up to the first that fails."""
        return [self.receive(incoming) for incoming in events]

    def fail(self, times: int = 1, *, error: Exception | None = None) -> None:
        """Fail the next `times` calls, as an unreachable database does unless told otherwise."""
        with self._lock:
            self._failures += [error or DatabaseUnavailable("the test's database is away")] * times

    def go_down(self) -> None:
        """Fail every call from now on."""
        with self._lock:
            self._is_down = True

    def come_back(self) -> None:
        """Commit again."""
        with self._lock:
            self._is_down = False

    @property
    def texts(self) -> list[str]:
        """The texts of what is committed, in order."""
        with self._lock:
            return [incoming.text for incoming in self.committed]


class FakeAccounts:
    """`channels.protocol.Accounts` in memory. An account's id follows from what it is registered under."""

    def __init__(self) -> None:
        self._names: dict[AccountId, tuple[str, str]] = {}
        self._credentials: dict[AccountId, str] = {}
        self.cursors: dict[AccountId, int] = {}
        self.rejected: list[AccountId] = []

    def register(self, channel: str, external_id: str, name: str, *, credentials: str | None = None) -> AccountId:
        """The same id for the same bot."""
        account_id = AccountId(uuid5(_ACCOUNTS, f"{channel}:{external_id}"))
        self._names[account_id] = (channel, name)
        if credentials is not None:
            self._credentials[account_id] = credentials
        return account_id

    def credentials(self, account_id: AccountId) -> str | None:
        """What was given at registration."""
        return self._credentials.get(account_id)

    def list(self, channel: str) -> list[tuple[AccountId, str]]:
        """Accounts of the channel that are not rejected."""
        return [(key, name) for key, (of, name) in self._names.items() if of == channel and key not in self.rejected]

    def cursor(self, account_id: AccountId) -> int | None:
        """Where the channel stands."""
        return self.cursors.get(account_id)

    def move_cursor(self, account_id: AccountId, cursor: int) -> None:
        """Note where the channel stands."""
        self.cursors[account_id] = cursor

    def reject(self, account_id: AccountId) -> None:
        """Note that the token was refused."""
        self.rejected.append(account_id)
