"""Runs an engine in a thread and event loop of its own, for callers that are threads themselves."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import structlog
import uvloop

from parlour.engines.errors import EngineDied, EngineError, EngineUnavailable
from parlour.engines.protocol import Engine, Message, Piece, Request

CALL_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 60.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


class HostedStream(Iterator[Piece]):
    """One answer, iterated in one thread; `cancel` may come from any other.

    Iterating raises the engine's errors. After `cancel` it ends without a last piece (`is_cancelled` tells), whatever
    was still under way. Leaving a `with` block cancels, and waits until the engine let go of the answer.
    """

    def __init__(self, engine: Engine, request: Request, loop: asyncio.AbstractEventLoop | None) -> None:
        """For `EngineHost.stream`."""
        self._engine = engine
        self._request = request
        self._loop = loop
        self._arrived: queue.SimpleQueue[Piece | EngineError | None] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._is_drained = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` came before the last piece was taken."""
        return self._cancelled.is_set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> Piece:
        """The next piece, waiting for it. Raises any `EngineError`."""
        if self._is_drained or self.is_cancelled:
            raise StopIteration
        arrived = self._arrived.get()
        if isinstance(arrived, Piece) and not self.is_cancelled:
            self._is_drained = arrived.finish is not None
            return arrived
        self._is_drained = True
        if isinstance(arrived, EngineError) and not self.is_cancelled:
            raise arrived
        raise StopIteration

    def cancel(self) -> None:
        """Abort the answer in the engine and end the iteration. Does not wait; harmless after the last piece."""
        if self._is_drained or self._loop is None:
            return
        self._cancelled.set()
        self._arrived.put(None)
        # The loop may have closed since: then it has cancelled the task itself.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.abort)

    def close(self) -> None:
        """Cancel, and return when the engine has let go of the answer."""
        self.cancel()
        self._is_drained = True
        self._ended.wait(CALL_TIMEOUT_S)

    def begin(self, forget: Callable[["HostedStream"], object]) -> None:
        """Start generating; for the host, in the engine's loop."""
        self._task = asyncio.get_running_loop().create_task(self._carry())
        self._task.add_done_callback(self._finish)
        self._task.add_done_callback(lambda _: forget(self))

    def abort(self) -> "asyncio.Task[None] | None":
        """Stop generating, and hand out what still runs; for the host, in the engine's loop."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def fail(self, error: EngineError) -> None:
        """End the iteration with `error`; for the host."""
        self._arrived.put(error)
        self._ended.set()

    async def _carry(self) -> None:
        """Carry pieces from the engine to the iterating thread."""
        pieces = self._engine.stream(self._request)
        try:
            async for piece in pieces:
                self._arrived.put(piece)
        finally:
            await _close(pieces)

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Tell the iterating thread how it ended. As a callback, so that it runs even if the task never did."""
        error = (
            EngineDied("The engine was shut down in the middle of an answer.") if task.cancelled() else task.exception()
        )
        if error is not None and not isinstance(error, EngineError):
            error = _foreseen(self._engine, error)
        self._arrived.put(error)
        self._ended.set()


class EngineHost:
    """An engine in its own thread and loop. Every method may be called from any thread except the engine's own."""

    def __init__(self, engine: Engine) -> None:
        """Nothing runs before `start`."""
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._main: asyncio.Task[None] | None = None
        self._streams: set[HostedStream] = set()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Kind and model, for people."""
        return self._engine.name

    @property
    def context_tokens(self) -> int:
        """The model's window: prompt and answer together. Known after `start`."""
        return self._engine.context_tokens

    @property
    def max_concurrency(self) -> int:
        """How many answers it takes at once: so many threads may stream."""
        return self._engine.max_concurrency

    @property
    def calls_tools(self) -> bool:
        """Whether the engine takes tools and tells which to call."""
        return self._engine.calls_tools

    def start(self) -> None:
        """Start the engine, return when it is ready. Raises `EngineUnavailable` or `ModelFileError` with a remedy."""
        if self._thread is not None:
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._live(started)), name="engine", daemon=True)
        self._thread.start()
        try:
            started.result()
        except EngineError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise _unavailable(self._engine, error) from error
        except BaseException:  # Ctrl-C while the model loads
            self.close()
            raise

    def close(self) -> None:
        """End running answers with `EngineDied`, stop the engine, its loop and its thread. Safe to call twice."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop, self._thread = None, None
        if loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(self._main.cancel)
        if thread is not None:
            thread.join(CLOSE_TIMEOUT_S)

    def stream(self, request: Request) -> HostedStream:
        """The answer as an iterator for this thread. Errors come out of the iteration, never from here."""
        with self._lock:
            stream = HostedStream(self._engine, request, self._loop)
            if self._loop is None:
                stream.fail(EngineUnavailable("The engine is not running. Start it first."))
                return stream
            self._streams.add(stream)
            self._loop.call_soon_threadsafe(stream.begin, self._streams.discard)
        return stream

    def whole(self, request: Request) -> str:
        """The answer at once, for what nobody watches being written. Raises `EngineError` as its stream does."""
        with self.stream(request) as pieces:
            return "".join(piece.text for piece in pieces)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens that `messages` take in the prompt, chat template included."""
        return self._call(self._engine.count_tokens(messages))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text. Raises `NotSupported` where the engine has none."""
        return self._call(self._engine.embed(texts))

    def check(self) -> None:
        """Return when the engine can answer now; raise `EngineUnavailable` otherwise."""
        self._call(self._engine.check())

    def run(self, work: Coroutine[Any, Any, T], *, timeout_s: float) -> T:
        """Run `work` in the engine's loop and return its result, to measure the engine without anything around it."""
        if self._loop is None:
            work.close()
            raise EngineUnavailable("The engine is not running. Start it first.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        if loop is None:
            work.close()
            raise EngineUnavailable("The engine is not running. Start it first.")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result(CALL_TIMEOUT_S)
        except EngineError:
            raise
        except TimeoutError:
            future.cancel()
            raise EngineUnavailable(
                f"{self.name} gave no sign of life for {CALL_TIMEOUT_S:g} s. Restart the worker."
            ) from None
        except Exception as error:
            raise _unavailable(self._engine, error) from error

    async def _live(self, started: "Future[None]") -> None:
        """The engine's whole life, in its own loop: start, answer until cancelled, close."""
        self._main = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        try:
            await self._engine.start()
            started.set_result(None)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not started.done():
                started.set_exception(EngineUnavailable("The engine was closed while it started."))
        except Exception as error:  # noqa: BLE001 (it belongs to the thread that waits in `start`)
            started.set_exception(error)
        finally:
            await self._shut_down()

    async def _shut_down(self) -> None:
        """Break off every answer, then close the engine."""
        with self._lock:
            self._loop = None
        answers = [answer for stream in list(self._streams) if (answer := stream.abort()) is not None]
        await asyncio.gather(*answers, return_exceptions=True)
        await self._engine.close()


async def _close(pieces: AsyncIterator[Piece]) -> None:
    """Close an engine's iterator, which aborts the generation. All of them are async generators."""
    if hasattr(pieces, "aclose"):
        await cast("Any", pieces).aclose()


def _foreseen(engine: Engine, error: BaseException) -> EngineDied:
    """An unforeseen error as `EngineDied`. Only its type and place are told: its text may hold content."""
    _note(engine, error)
    died = EngineDied(f"{engine.name} failed with {type(error).__name__}. See the log.")
    died.__cause__ = error
    return died


def _unavailable(engine: Engine, error: Exception) -> EngineUnavailable:
    _note(engine, error)
    return EngineUnavailable(f"{engine.name} failed with {type(error).__name__}. See the log.")


def _note(engine: Engine, error: BaseException) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    log.error("engine_failed", engine=engine.name, error=type(error).__name__, place=place)
