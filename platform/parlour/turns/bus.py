"""The live bus: drafts and hints on their way from workers to gateways. Everything on it may be lost."""

import asyncio
import contextlib
import json
import threading
import time
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import structlog

from parlour.store.ids import AccountId, ConversationId, TurnId
from parlour.turns.ports import Frame, Live

log = structlog.get_logger(__name__)

# A subscriber that does not keep up loses its oldest frames; they were drafts, and newer ones hold their text too.
_BUFFERED = 1_000
# Where no frame comes, one that waits for them looks so often whether it shall go on.
_LOOK_UP_S = 1.0


class InProcessBus:
    """The bus of one process: workers are threads of it, gateways its event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[_Subscriber] = []

    def publish(self, live: Live) -> None:
        """Hand the frame to every subscriber of its account."""
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.offer(live)

    async def subscribe(self, account_ids: Sequence[AccountId]) -> AsyncIterator[Live]:
        """Frames of these accounts from now on."""
        subscriber = _Subscriber(frozenset(account_ids), asyncio.get_running_loop())
        with self._lock:
            self._subscribers.append(subscriber)
        try:
            while True:
                yield await subscriber.next()
        finally:
            with self._lock:
                self._subscribers.remove(subscriber)


class _Subscriber:
    """One reader in one event loop."""

    def __init__(self, account_ids: frozenset[AccountId], loop: asyncio.AbstractEventLoop) -> None:
        self._account_ids = account_ids
        self._loop = loop
        self._frames: deque[Live] = deque(maxlen=_BUFFERED)
        self._has_come = asyncio.Event()
        self._is_woken = False

    def offer(self, live: Live) -> None:
        if live.account_id not in self._account_ids:
            return
        self._frames.append(live)
        # Waking a loop from another thread costs more than all the rest, so it is done once for what comes together.
        if not self._is_woken:
            self._is_woken = True
            # The loop may close between here and there; whoever read is gone then.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        # Before the frames are looked at: one that comes later wakes anew.
        self._is_woken = False
        self._has_come.set()

    async def next(self) -> Live:
        while not self._frames:
            self._has_come.clear()
            await self._has_come.wait()
        return self._frames.popleft()


class RedisBus:
    """The bus between processes: Redis publish/subscribe, one topic an account. It carries ids and sealed bytes.

    A Redis that does not take a frame within `timeout_s` is away.
    """

    def __init__(self, url: str, *, timeout_s: float = 0.5, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Imported here because Redis is an extra: the embedded layout goes without it.
        import redis  # noqa: PLC0415
        import redis.asyncio as redis_async  # noqa: PLC0415

        self._errors = (redis.RedisError, OSError)
        self._client = redis.Redis.from_url(url, socket_connect_timeout=timeout_s, socket_timeout=timeout_s)
        self._open_async: Callable[[], Any] = lambda: redis_async.Redis.from_url(
            url, socket_connect_timeout=1.0, health_check_interval=15
        )
        self._monotonic = monotonic
        self._paused_until = 0.0

    def publish(self, live: Live) -> None:
        """Send the frame; with Redis away, drop it, and drop all others for a second."""
        if self._monotonic() < self._paused_until:
            return
        try:
            self._client.publish(_topic(live.account_id), _encode(live))
        except self._errors as error:
            self._paused_until = self._monotonic() + 1.0
            log.warning("bus_unavailable", reason=type(error).__name__)

    def close(self) -> None:
        """Let go of the connections for publishing."""
        self._client.close()

    async def subscribe(self, account_ids: Sequence[AccountId]) -> AsyncIterator[Live]:
        """Frames of these accounts, across outages of Redis."""
        while True:
            client = self._open_async()
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(*[_topic(account_id) for account_id in account_ids])
                    while not _is_told_to_end():
                        message = await pubsub.get_message(timeout=_LOOK_UP_S)
                        live = _decode(message["data"]) if message else None
                        if live is not None:
                            yield live
                    raise asyncio.CancelledError
            except self._errors as error:
                log.warning("bus_unavailable", reason=type(error).__name__)
                await asyncio.sleep(1.0)
            finally:
                await client.aclose()


def _is_told_to_end() -> bool:
    """Whether this task was cancelled.

    redis-py sends through `asyncio.wait_for`, which in Python 3.11 forgets a cancellation that comes as it ends: the
    task would go on for ever, and its process with it. https://github.com/python/cpython/issues/86296
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _topic(account_id: AccountId) -> str:
    return f"parlour:live:{account_id}"


def _encode(live: Live) -> bytes:
    return json.dumps(
        [
            live.frame.value,
            str(live.account_id),
            str(live.conversation_id),
            str(live.turn_id),
            b64encode(live.body).decode(),
        ]
    ).encode()


def _decode(data: bytes) -> Live | None:
    """The frame, or None for what is not one: anybody who reaches Redis can write there."""
    try:
        frame, account, conversation, turn, body = json.loads(data)
        return Live(
            Frame(frame),
            AccountId(UUID(account)),
            ConversationId(UUID(conversation)),
            TurnId(UUID(turn)),
            b64decode(body, validate=True),
        )
    except (ValueError, TypeError, AttributeError):
        return None
