"""The posting half of a gateway: a sender and a fetcher for every account, also for those that are installed later."""

import asyncio

import structlog

from parlour.bootstrap import Platform
from parlour.channels.protocol import Channel
from parlour.store.ids import AccountId
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
        self._tasks: dict[AccountId, list[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Run until cancelled; then every sender finishes what is on its way."""
        try:
            while True:
                self._keep_up()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            tasks = [task for of_account in self._tasks.values() for task in of_account]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _keep_up(self) -> None:
        """Start what is new, start again what broke."""
        for messenger in self._channel.messengers():
            running = self._tasks.get(messenger.account_id, [])
            for task in running:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    log.error("posting_broke", channel=self._channel.name, reason=type(task.exception()).__name__)
            if not running or any(task.done() for task in running):
                for task in running:
                    task.cancel()
                self._tasks[messenger.account_id] = self._start(messenger)

    def _start(self, messenger: Messenger) -> list[asyncio.Task[None]]:
        parts, name = self._platform, self._channel.name
        fetcher = Fetcher(
            messenger=messenger, store=parts.attachments, max_bytes=parts.settings.turns.max_attachment_bytes
        )
        tasks = [asyncio.create_task(fetcher.run(), name=f"fetch-{name}")]
        if name not in PULL_CHANNELS:
            sender = Sender(
                messenger=messenger,
                channel=name,
                ledger=parts.ledger,
                bus=parts.bus,
                budget=parts.budget,
                sealer=parts.sealer,
                metrics=parts.metrics,
                on_rejected=lambda: parts.accounts.reject(messenger.account_id),
            )
            tasks.append(asyncio.create_task(sender.run(), name=f"send-{name}"))
        return tasks
