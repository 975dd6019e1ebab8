"""The durable getUpdates loop: an update is committed first, and confirmed to Telegram by the next request's offset."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from parlour.channels.telegram_updates import Json, kind_of
from parlour.privacy.errors import KeysUnavailable
from parlour.store.errors import StoreError
from parlour.turns.ports import CredentialsRejected, NotSent, OutcomeUnknown, Rejected, Throttled

log = structlog.get_logger()

# An update that fails for a reason of its own, not for the database's, is given up after so many tries: one message
# that trips over a fault of ours must not hold up all that come after it.
_TRIES: Final = 5
# So long it rests after updates have come: those of a crowd come together then, and cost less than one by one.
_GATHER_S: Final = 0.02
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 30.0
_REJECTED_WAIT_S: Final = 60.0


class Polling:
    """Fetches, commits, confirms. `take` commits updates; only when it has returned does the offset move over them."""

    def __init__(
        self,
        *,
        fetch: Callable[[int | None], Awaitable[Sequence[Json]]],
        take: Callable[[Sequence[Json]], Awaitable[None]],
        confirmed: Callable[[int], Awaitable[None]],
        rejected: Callable[[], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetch = fetch
        self._take = take
        self._confirmed = confirmed
        self._rejected = rejected
        self._sleep = sleep

    async def run(self) -> None:
        """Take updates in until cancelled.

        The offset starts unset, which asks for all that is unconfirmed, and is unset again after an empty answer: after
        a week of silence Telegram starts ids anew, at random, and a kept offset would then skip messages.
        """
        offset: int | None = None
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                updates = await self._fetch(offset)
            except (NotSent, OutcomeUnknown, Throttled, Rejected, CredentialsRejected) as error:
                await self._sleep(await self._after(error, wait_s))
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                continue
            wait_s = _FIRST_WAIT_S
            offset = await self._take_all(updates)
            if offset is not None:
                await self._sleep(_GATHER_S)

    async def _after(self, error: Exception, wait_s: float) -> float:
        """How long to wait after a failed request."""
        log.warning("telegram_poll_failed", error=type(error).__name__, reason=str(error))
        if isinstance(error, CredentialsRejected):
            await self._rejected()
            return _REJECTED_WAIT_S
        return max(error.retry_after_s, wait_s) if isinstance(error, Throttled) else wait_s

    async def _take_all(self, updates: Sequence[Any]) -> int | None:
        """Commit `updates` in the order of their ids; returns the offset that confirms them."""
        readable = [update for update in updates if isinstance(update, dict) and _is_id(update.get("update_id"))]
        if len(readable) < len(updates):
            log.error("telegram_updates_without_id", count=len(updates) - len(readable))
            await self._sleep(0 if readable else _FIRST_WAIT_S)
        if not readable:
            return None
        readable.sort(key=lambda one: int(one["update_id"]))
        await self._take_surely(readable)
        last = int(readable[-1]["update_id"])
        await self._confirmed(last)
        return last + 1

    async def _take_surely(self, updates: Sequence[Json]) -> None:
        """Commit them, however long the database or the key provider is away; where one fails, each by itself."""
        wait_s, tries, first = _FIRST_WAIT_S, 0, updates[0]
        while True:
            try:
                return await self._take(updates)
            except (StoreError, KeysUnavailable) as error:
                log.warning("telegram_update_waits", update_id=first["update_id"], error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 (a fault of ours in one update: no traceback, it could quote content)
                if len(updates) > 1:
                    for update in updates:
                        await self._take_surely([update])
                    return None
                tries += 1
                log.warning("telegram_update_failed", update_id=first["update_id"], error=type(error).__name__)
                if tries >= _TRIES:
                    return _give_up(first)
            await self._sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _give_up(update: Json) -> None:
    log.error("telegram_update_given_up", update_id=update["update_id"], kind=kind_of(update))


def _is_id(value: Any) -> bool:  # noqa: ANN401 (from the wire)
    return isinstance(value, int) and not isinstance(value, bool)
