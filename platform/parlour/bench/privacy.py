"""What privacy costs: sealing a turn, wrapping keys anew, erasing a person, purging what is past its time."""

import secrets
import statistics
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.pipeline import Progress
from parlour.bench.privacy_house import TEXT, House, house_in, house_on_postgres, say
from parlour.bench.purging import measure_purges, measure_turns
from parlour.bench.report import Report
from parlour.privacy.erasure import Eraser
from parlour.privacy.errors import KeyShredded
from parlour.privacy.keystore import Keyring
from parlour.privacy.models import DataKeyRow
from parlour.privacy.rotation import rewrap
from parlour.privacy.sealing import Sealer
from parlour.store.ids import UserId, new_id
from parlour.store.models import Message

SEALING: Final = "Sealing and opening a turn with 20 messages of history"
REWRAP: Final = "Wrapping keys anew, file provider"
ERASURE: Final = "Erasing a person"
PURGE: Final = "Purging messages that are past their time"
TURNS: Final = "Turns meanwhile, from event to committed answer"
_CHUNK: Final = 5_000
_LOOK_EVERY_S: Final = 0.01
# Nothing would be proved by a wait that is longer than keys stay in memory.
_KEY_LIFE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """What to measure, and how large."""

    turns: int
    keys: int
    messages: int
    tables: tuple[int, ...]
    rounds: int
    seconds: float
    postgres: str


def run_privacy(options: PrivacyOptions, report: Report, progress: Progress) -> None:
    """Run all of it. Raises `BenchError` with what is missing."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder, house_in(Path(folder)) as house:
        progress.begin("sealing", options.turns)
        report.add(SEALING, _sealing(house, options.turns, progress))
        progress.begin("wrapping keys anew", 1)
        report.add(REWRAP, _rewrap(house, options.keys))
        progress.begin("erasing", 1)
        report.add(ERASURE, {"database": "sqlite", **_erasure(house, options.messages)})
    purges = measure_purges(
        options.postgres, options.tables, rounds=options.rounds, seconds=options.seconds, progress=progress
    )
    for found in purges:
        report.add(PURGE, found.rates)
        report.add(TURNS, found.turns)
    progress.begin("erasing", 1)
    with house_on_postgres(options.postgres) as house:
        report.add(ERASURE, {"database": "postgresql", **_erasure(house, options.messages)})


def told(options: PrivacyOptions) -> dict[str, Any]:
    """The options as a report shows them: without addresses, which may hold passwords."""
    return {name: value for name, value in asdict(options).items() if name != "postgres"}


def _sealing(house: House, turns: int, progress: Progress) -> dict[str, Any]:
    """One turn opens 20 messages and seals three values: what was asked, its id in the messenger, the answer.

    Beside it what a whole turn takes on the same machine, from the event to the committed answer, the model left out.
    """
    sealer, rows = house.privacy.sealer, [new_id() for _ in range(20)]
    history = [(row, sealer.seal(house.user_id, Message.body, row, TEXT)) for row in rows]
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        for row, sealed in history:
            sealer.open_text(house.user_id, Message.body, row, sealed)
        for row in rows[:3]:
            sealer.seal(house.user_id, Message.body, row, TEXT)
        taken.append(time.perf_counter() - began)
        progress.step()
    found = spread(milliseconds(taken))
    if found is None:
        raise BenchError("Nothing was measured. Give --turns of at least 1.")
    whole = statistics.median(measure_turns(turns))
    return {
        "turns": turns,
        "p50_ms": found.p50,
        "p99_ms": found.p99,
        "mean_ms": found.mean,
        "turn_p50_ms": whole,
        "share_of_turn": found.p50 / whole,
    }


def _rewrap(house: House, keys: int) -> dict[str, Any]:
    store, provider = house.privacy.key_store, house.privacy.provider
    for first in range(0, keys, _CHUNK):
        made = []
        for _ in range(min(_CHUNK, keys - first)):
            subject, key_id = new_id(), new_id()
            kek_id, wrapped = provider.wrap(secrets.token_bytes(32), bound_to=subject.bytes + key_id.bytes)
            made.append(
                {
                    "subject_id": subject,
                    "key_id": key_id,
                    "kek_id": kek_id,
                    "wrapped": wrapped,
                    "created_at": store.clock.now(),
                }
            )
        with store.begin() as session:
            session.execute(insert(DataKeyRow), made)
    provider.rotate()
    began = time.perf_counter()
    done = rewrap(store, provider)
    took = time.perf_counter() - began
    return {"keys": done, "seconds": took, "keys_per_s": done / took}


class _Elsewhere:
    """Another holder of the person's key, as every worker is one: opens a value over and over until it is refused."""

    def __init__(self, house: House) -> None:
        self._sealer = Sealer(Keyring(house.privacy.key_store, house.privacy.provider))
        self._user_id, self._row = house.user_id, new_id()
        self._sealed = self._sealer.seal(self._user_id, Message.body, self._row, TEXT)
        self._refused_at = 0.0
        self._thread = threading.Thread(target=self._look, name="elsewhere", daemon=True)
        self._thread.start()

    def refused_at(self) -> float:
        """When it was refused, by `time.perf_counter`."""
        self._thread.join(timeout=_KEY_LIFE_S)
        if self._thread.is_alive():
            raise BenchError("What was sealed for the erased person still opens elsewhere.")
        return self._refused_at

    def _look(self) -> None:
        while True:
            try:
                self._sealer.open(self._user_id, Message.body, self._row, self._sealed)
            except KeyShredded:
                self._refused_at = time.perf_counter()
                return
            time.sleep(_LOOK_EVERY_S)


def _erasure(house: House, messages: int) -> dict[str, Any]:
    """The key is gone once reading is refused, here and elsewhere; the rows once the receipt is there."""
    now = house.database.clock.now()
    say(house, messages, now, now + timedelta(days=90))
    elsewhere = _Elsewhere(house)
    gone_after: list[float] = []
    began = time.perf_counter()

    class Timed(Eraser):
        """Notes when the key is gone."""

        def _fence(self, users: frozenset[UserId]) -> Any:  # noqa: ANN401 (as it is there)
            gone_after.append(time.perf_counter() - began)
            return super()._fence(users)

    Timed(database=house.database, privacy=house.privacy).erase(house.user_id, actor="command:bench")
    took = time.perf_counter() - began
    return {
        "messages": messages,
        "key_gone_s": gone_after[0],
        "refused_elsewhere_s": elsewhere.refused_at() - began,
        "rows_gone_s": took,
    }
