"""The posting side of accounts whose people read here: nothing is ever sent, SQL is the mailbox."""

from parlour.store.ids import AccountId, TurnId
from parlour.turns.ports import Address, DraftStyle, Post, Receipt, Rejected, SendLimits


class PullMessenger:
    """A `Messenger` that has nothing to do: an answer is there as soon as it is committed."""

    def __init__(self, account_id: AccountId) -> None:
        self._account_id = account_id

    @property
    def account_id(self) -> AccountId:
        """The account."""
        return self._account_id

    def limits(self, address: Address) -> SendLimits:
        """None: nothing is sent."""
        return SendLimits()

    def split(self, markdown: str) -> list[str]:
        """One part, however long."""
        return [markdown]

    async def send(self, post: Post) -> Receipt:
        """The receipt at once: what is in SQL is read from there."""
        return Receipt(str(post.turn_id))

    async def settle(self, post: Post) -> Receipt | None:
        """The receipt: there is no outcome that could be unknown."""
        return Receipt(str(post.turn_id))

    def draft_style(self, address: Address) -> DraftStyle:
        """None: pages listen to the live bus themselves."""
        return DraftStyle.NONE

    def draft_interval_s(self, address: Address) -> float:
        """No drafts, no interval."""
        return 0.0

    async def draft(
        self, address: Address, turn_id: TurnId, text: str, *, key: str | None, reply_to: str | None
    ) -> str | None:
        """Nothing."""
        return None

    async def typing(self, address: Address, turn_id: TurnId) -> None:
        """Nothing."""

    async def fetch(self, reference: str, *, limit_bytes: int) -> bytes:
        """Raises `Rejected`: a file comes with its message here, or not at all."""
        raise Rejected("no_reference")
