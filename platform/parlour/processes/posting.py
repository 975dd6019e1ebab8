"""The posting half of a gateway: a sender and a fetcher for every account, also for those that are installed later."""

import asyncio

import structlog

from parlour.bootstrap import Platform
from parlour.channels.protocol import Channel
from parlour.store.ids import AccountId  # noqa: TC001 (an annotation like the others)
from parlour.turns.attachments import Fetcher
from parlour.turns.deliver import Sender
from parlour.turns.ports import Messenger
from parlour.turns.states import PULL_CHANNELS

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 2.0


class PostOffice:
    """Runs the senders of one channel's accounts."""

    def __init__(self, platform: Platform, channel: Channel) -> None:
        self._platform = platform
        self._channel = channel
        self._posting: dict[AccountId, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run until cancelled; then every sender finishes what is on its way."""
        try:
            while True:
                for messenger in self._channel.messengers():
                    if messenger.account_id not in self._posting:
                        task = asyncio.create_task(self._post(messenger), name=f"post-{self._channel.name}")
                        self._posting[messenger.account_id] = task
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            for task in self._posting.values():
                task.cancel()
            await asyncio.gather(*self._posting.values(), return_exceptions=True)

    async def _post(self, messenger: Messenger) -> None:
        """Post for one account; what breaks is wound up as a whole and started again."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    for part in self._parts(messenger):
                        group.create_task(part.run(), name=f"{type(part).__name__.lower()}-{self._channel.name}")
            except* Exception:  # an account begins here: one that breaks must not stop the others
                log.exception("posting_broke", channel=self._channel.name, account_id=str(messenger.account_id))
            await asyncio.sleep(_LOOK_EVERY_S)

    def _parts(self, messenger: Messenger) -> list[Fetcher | Sender]:
        platform, name = self._platform, self._channel.name
        max_bytes = platform.settings.turns.max_attachment_bytes
        fetcher = Fetcher(messenger=messenger, store=platform.attachments, max_bytes=max_bytes)
        if name in PULL_CHANNELS:
            return [fetcher]
        sender = Sender(
            messenger=messenger,
            channel=name,
            ledger=platform.ledger,
            bus=platform.bus,
            budget=platform.budget,
            sealer=platform.sealer,
            metrics=platform.metrics,
            on_rejected=lambda: platform.accounts.reject(messenger.account_id),
        )
        return [fetcher, sender]
