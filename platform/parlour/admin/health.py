"""Alive, ready, measured: what an orchestrator and Prometheus ask of a process."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import Lock
from time import monotonic

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

log = structlog.get_logger()

OK = "ok"
DOWN = "down"
SLOW = "slow"

# Returns when the part works; raises when it does not; may return another word ("starting") for "not yet".
Check = Callable[[], str | None]


class Health:
    """The parts that must work for this process to be able to answer, each with a check.

    Checks run side by side in threads, together at most `timeout_s`. One that hangs is `slow`, and is not started again
    before it has come back: a dead database must not eat a thread with every question.
    """

    def __init__(self, checks: Mapping[str, Check], *, timeout_s: float = 2.0) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._running: dict[str, Future[str]] = {}
        self._threads = ThreadPoolExecutor(max(1, len(self._checks)), thread_name_prefix="health")

    def ask(self) -> dict[str, str]:
        """One word for each part: `ok`, `down`, `slow`, or the check's own. Blocks for at most `timeout_s`."""
        deadline = monotonic() + self._timeout_s
        with self._lock:
            running = {name: self._start(name) for name in self._checks}
        return {name: self._word(name, future, deadline - monotonic()) for name, future in running.items()}

    def close(self) -> None:
        """Let the threads go, without waiting for a check that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, name: str) -> Future[str]:
        future = self._running.get(name)
        if future is None or future.done():
            future = self._running[name] = self._threads.submit(_checked, name, self._checks[name])
        return future

    def _word(self, name: str, future: Future[str], left_s: float) -> str:
        try:
            return future.result(max(0.0, left_s))
        except FutureTimeoutError:
            log.warning("part_slow", part=name)
            return SLOW


def _checked(name: str, check: Check) -> str:
    try:
        return check() or OK
    except Exception as error:  # noqa: BLE001 (whatever a part raises, the answer is that it is down)
        log.warning("part_down", part=name, reason=type(error).__name__)
        return DOWN


def health_routes(health: Health, registry: CollectorRegistry = REGISTRY) -> Sequence[BaseRoute]:
    """`/healthz` (alive), `/readyz` (can answer: 200, else 503, with one word a part), `/metrics` (Prometheus)."""

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NOT_KEPT)

    async def ready(_: Request) -> Response:
        parts = await run_in_threadpool(health.ask)
        is_ready = all(word == OK for word in parts.values())
        return JSONResponse(parts, status_code=200 if is_ready else 503, headers=_NOT_KEPT)

    async def metrics(_: Request) -> Response:
        # In a thread: the backlog is read from SQL.
        shown = await run_in_threadpool(generate_latest, registry)
        return Response(shown, media_type=CONTENT_TYPE_LATEST, headers=_NOT_KEPT)

    return (Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics))


_NOT_KEPT = {"Cache-Control": "no-store"}
