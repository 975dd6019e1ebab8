"""Everything in one process: gateway, worker and scheduler over one data folder, for `parlour up`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from parlour.bootstrap import Platform, platform
from parlour.from_settings import prepare_data_dir, worker_threads
from parlour.processes.engine_room import EmbeddedWorker, EngineRoom
from parlour.processes.note import running_at
from parlour.processes.scheduler import Scheduler
from parlour.settings import Settings, SettingsError

_STOP_CONSUMING_S = 5.0


@dataclass(frozen=True, slots=True)
class House:
    """A running worker and scheduler, and the parts to build a gateway on."""

    platform: Platform
    room: EngineRoom


@contextmanager
def data_folder(settings: Settings) -> Iterator[None]:
    """The data folder, held by this process alone. Raises `SettingsError` when another one has it."""
    folder = settings.data_dir / "run"
    # One after the other: `parents` would make the upper folder with everybody's rights.
    prepare_data_dir(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        where = running_at(settings)
        at = f" at {where[0]}" if where else ""
        raise SettingsError(
            f"Another parlour already runs on {settings.data_dir}{at}. "
            "Stop it, or set PARLOUR_DATA_DIR to another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def house(settings: Settings) -> Iterator[House]:
    """Worker and scheduler of one process, ready to answer; wound up in reverse at the end of the block.

    Raises `StoreError`, `PrivacyError`, `EngineError`, `SettingsError`: one line each.
    """
    with ExitStack() as stack:
        parts = stack.enter_context(platform(settings, is_migrating=True))
        room = EngineRoom(parts)
        room.start()
        stack.callback(room.close)
        worker = EmbeddedWorker(parts.celery, room, threads=worker_threads(settings))
        worker.start()
        scheduler = Scheduler(parts)
        scheduler.start()
        # Nothing new is taken first, then what runs is drained, then the engine goes.
        stack.callback(worker.stop, _STOP_CONSUMING_S)
        stack.callback(scheduler.stop)
        yield House(parts, room)
