"""The one protocol that a messenger's module implements."""

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from parlour.store.ids import AccountId
from parlour.turns.ports import Intake, Messenger


class Accounts(Protocol):
    """Where a channel registers the bots it speaks for. Synchronous: call it from a thread."""

    def register(self, channel: str, external_id: str, name: str, *, credentials: str | None = None) -> AccountId:
        """The id of this bot's account, made on first sight. `credentials` (Slack's OAuth tokens) are stored sealed."""
        ...

    def credentials(self, account_id: AccountId) -> str | None:
        """What was stored sealed with the account."""
        ...

    def list(self, channel: str) -> list[tuple[AccountId, str]]:
        """Active accounts of a channel with their names."""
        ...

    def cursor(self, account_id: AccountId) -> int | None:
        """How far a polling channel has confirmed, None at first."""
        ...

    def move_cursor(self, account_id: AccountId, cursor: int) -> None:
        """Remember how far a polling channel has confirmed."""
        ...

    def reject(self, account_id: AccountId) -> None:
        """Note that the messenger no longer accepts the account's token."""
        ...


class Channel(Protocol):
    """One messenger, both ways. Opened once a gateway process, in the gateway's event loop."""

    @property
    def name(self) -> str:
        """`telegram`, `slack`: the settings section, the table column, the word in logs."""
        ...

    async def open(self, intake: Intake, accounts: Accounts) -> None:
        """Check the credentials, register the accounts. Raises `CredentialsRejected`, `NotSent` when unreachable."""
        ...

    async def receive(self) -> None:
        """Take events in until cancelled: commit by `intake.receive`, then acknowledge. Survives outages by itself.

        A channel that only receives over its HTTP routes waits here for its cancellation.
        """
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """HTTP routes to mount in the gateway, if any."""
        ...

    def messengers(self) -> Sequence[Messenger]:
        """The posting side of every account, after `open`."""
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to call twice, and after a failed `open`."""
        ...
