"""How fast an account may post: token buckets for account and chat, shared between processes over Redis."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from parlour.turns.ports import SendLimits

log = structlog.get_logger(__name__)

_REMEMBERED = 20_000
# So much a sum of seconds may be off: no post waits for it.
_ROUNDING_S = 1e-5


@dataclass(frozen=True, slots=True)
class Lane:
    """What a post counts against: its account, and its chat as a keyed hash, so that no chat id stands in Redis."""

    account: str
    chat: str


class SendBudget(Protocol):
    """Grants posts. Asking takes what is granted; whoever is refused comes back after the time that is named."""

    def reserve(self, lane: Lane, limits: SendLimits, *, is_draft: bool = False) -> float:
        """0.0 when a post may go now, else the seconds until it may. Drafts get only what finals leave over."""
        ...

    def block(self, lane: Lane, *, seconds: float, is_whole_account: bool) -> None:
        """Note that the messenger said 429: nothing goes to the chat (or from the account) for `seconds`."""
        ...


@dataclass(slots=True)
class _Bucket:
    """A bucket as the time at which it will be full again (the generic cell rate algorithm)."""

    full_at: float = 0.0
    blocked_until: float = 0.0

    def wait(self, now: float, *, per_s: float, burst: float) -> float:
        """Seconds until one more fits; 0.0 when it fits now."""
        blocked = max(0.0, self.blocked_until - now)
        if per_s <= 0:
            return blocked
        wait = max(blocked, max(self.full_at - now, 0.0) + (1.0 - burst) / per_s)
        return wait if wait > _ROUNDING_S else 0.0

    def take(self, now: float, *, per_s: float) -> None:
        if per_s > 0:
            self.full_at = max(self.full_at, now) + 1.0 / per_s


class LocalBudget:
    """The budget of one process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def reserve(self, lane: Lane, limits: SendLimits, *, is_draft: bool = False) -> float:
        """Ask both buckets, take from both or from none."""
        now = self._monotonic()
        with self._lock:
            account, chat = self._bucket(lane.account), self._bucket(lane.chat)
            wait = max(
                account.wait(now, per_s=limits.account_per_s, burst=_share(limits.account_burst, is_draft=is_draft)),
                chat.wait(now, per_s=limits.chat_per_s, burst=_share(limits.chat_burst, is_draft=is_draft)),
            )
            if wait <= 0:
                account.take(now, per_s=limits.account_per_s)
                chat.take(now, per_s=limits.chat_per_s)
        return wait

    def block(self, lane: Lane, *, seconds: float, is_whole_account: bool) -> None:
        """Close the chat's bucket, or the account's."""
        until = self._monotonic() + seconds
        with self._lock:
            bucket = self._bucket(lane.account if is_whole_account else lane.chat)
            bucket.blocked_until = max(bucket.blocked_until, until)

    def _bucket(self, name: str) -> _Bucket:
        bucket = self._buckets.pop(name, None) or _Bucket()
        self._buckets[name] = bucket
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket


# The same algorithm as above, in one step for all processes. Times are Redis's own, in seconds.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local wait = 0
for i, key in ipairs(KEYS) do
    local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local state = redis.call('HMGET', key, 'full_at', 'blocked_until')
    wait = math.max(wait, (tonumber(state[2]) or 0) - now)
    if rate > 0 then
        wait = math.max(wait, math.max((tonumber(state[1]) or 0) - now, 0) + (1 - burst) / rate)
    end
end
if wait > 0.00001 then return tostring(wait) end
for i, key in ipairs(KEYS) do
    local rate = tonumber(ARGV[2 * i - 1])
    if rate > 0 then
        local full_at = math.max(tonumber(redis.call('HGET', key, 'full_at')) or 0, now) + 1 / rate
        redis.call('HSET', key, 'full_at', string.format('%.6f', full_at))
        redis.call('EXPIRE', key, 3600)
    end
end
return '0'
"""
_BLOCK = """
local time = redis.call('TIME')
local until_at = time[1] + time[2] / 1000000 + tonumber(ARGV[1])
local old = tonumber(redis.call('HGET', KEYS[1], 'blocked_until')) or 0
redis.call('HSET', KEYS[1], 'blocked_until', string.format('%.6f', math.max(old, until_at)))
redis.call('EXPIRE', KEYS[1], 3600 + math.ceil(tonumber(ARGV[1])))
return 1
"""


class RedisBudget:
    """The budget of all processes that share a Redis; with Redis away, each keeps to the limits by itself.

    One that does not answer within `timeout_s` is away.
    """

    def __init__(self, url: str, *, timeout_s: float = 0.5, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Imported here because Redis is an extra: the embedded layout goes without it.
        import redis  # noqa: PLC0415

        self._errors = (redis.RedisError, OSError)
        client = redis.Redis.from_url(url, socket_connect_timeout=timeout_s, socket_timeout=timeout_s)
        self._reserve = client.register_script(_RESERVE)
        self._block = client.register_script(_BLOCK)
        self._local = LocalBudget(monotonic=monotonic)
        self._monotonic = monotonic
        self._paused_until = 0.0

    def reserve(self, lane: Lane, limits: SendLimits, *, is_draft: bool = False) -> float:
        """Ask Redis, and this process's own budget too, so that an outage of Redis forgets no 429."""
        wait = self._local.reserve(lane, limits, is_draft=is_draft)
        if wait > 0 or self._monotonic() < self._paused_until or not (limits.account_per_s or limits.chat_per_s):
            return wait
        account_burst = _share(limits.account_burst, is_draft=is_draft)
        chat_burst = _share(limits.chat_burst, is_draft=is_draft)
        try:
            answer = self._reserve(
                keys=_keys(lane), args=[limits.account_per_s, account_burst, limits.chat_per_s, chat_burst]
            )
        except self._errors as error:
            self._pause(error)
            return wait
        return float(answer)

    def block(self, lane: Lane, *, seconds: float, is_whole_account: bool) -> None:
        """Close the bucket for all processes."""
        self._local.block(lane, seconds=seconds, is_whole_account=is_whole_account)
        account, chat = _keys(lane)
        try:
            self._block(keys=[account if is_whole_account else chat], args=[seconds])
        except self._errors as error:
            self._pause(error)

    def _pause(self, error: Exception) -> None:
        self._paused_until = self._monotonic() + 1.0
        log.warning("budget_not_shared", reason=type(error).__name__)


def _keys(lane: Lane) -> list[str]:
    return [f"parlour:budget:account:{lane.account}", f"parlour:budget:chat:{lane.chat}"]


def _share(burst: int, *, is_draft: bool) -> float:
    """Drafts may use half of a bucket, so that a final never waits behind them; at least one post must fit."""
    return max(1.0, burst / 2) if is_draft else float(burst)
