"""What `tests.chaos.measure` measures, each with the fault that it is about."""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import psycopg
from psycopg import sql

from parlour.bench.figures import milliseconds, spread
from parlour.bench.report import Report
from parlour.bench.usage import memory, tree
from tests.chaos.crowd import Crowd
from tests.chaos.house import LEASE_S, House, Services
from tests.fakes.telegram import FakeTelegram
from tests.processes import until

# Long enough that another worker is ready before the first one has written its answer.
_LONG: Final = 250
_WAIT_S: Final = 240.0
_AWAY_S: Final = 5.0
_FLOOD_PER_S: Final = 20.0
_SAMPLE_EVERY_S: Final = 10.0
_FLOODER: Final = range(900, 901)
_THROTTLED: Final = range(901, 902)
_AS_MANY: Final = range(910, 930)


@dataclass(frozen=True, slots=True)
class Ground:
    """A running house, what it stands on, and who talks there."""

    house: House
    services: Services
    telegram: FakeTelegram
    crowd: Crowd


def takeover(ground: Ground, options: argparse.Namespace, report: Report) -> None:
    """From the `kill -9` of a worker in the middle of an answer to another worker's lease on its conversation.

    Read in the database: drafts of the dead worker's may still be on their way to the messenger.
    """
    house, telegram, crowd = ground.house, ground.telegram, ground.crowd
    for number in range(options.rounds):
        house.kill("second worker")
        person = crowd.people[number % len(crowd.people)]
        crowd.say(person, words=_LONG)
        until(lambda person=person: telegram.drafts(person), timeout_s=_WAIT_S)  # type: ignore[misc]
        house.bring_up("second worker").await_ready()
        before = _holders(house)
        assert before, "the answer was over before the second worker was ready"
        killed_at = time.monotonic()
        house.kill("worker")
        until(lambda before=before: _holders(house) - before, timeout_s=_WAIT_S)  # type: ignore[misc]
        took = round(time.monotonic() - killed_at, 2)
        report.add("Take-over", {"round": number + 1, "lease_s": LEASE_S, "took_over_after_s": took})
        house.make_whole()
        crowd.settled(patience_s=_WAIT_S, linger_s=0)


def outage(ground: Ground, options: argparse.Namespace, report: Report) -> None:
    """From the return of an emptied Redis to the first and the last answer of all who wrote while it was away."""
    redis, telegram, crowd = ground.services.redis, ground.telegram, ground.crowd
    # The first turn of all takes longer, with or without an outage.
    crowd.say()
    crowd.settled(patience_s=_WAIT_S, linger_s=0)
    for number in range(options.rounds):
        redis.stop()
        stopped_at = time.monotonic()
        for person in crowd.people:
            crowd.say(person)
        until(lambda: not telegram.state()["pending"], timeout_s=_WAIT_S, told=lambda: ground.house.output)
        time.sleep(max(0.0, _AWAY_S - (time.monotonic() - stopped_at)))
        redis.start()
        back_at = time.monotonic()
        crowd.settled(patience_s=_WAIT_S, linger_s=0)
        sent = [one["monotonic"] - back_at for one in telegram.journal("bot_sent") if one["monotonic"] > back_at]
        row = {"round": number + 1, "waiting": len(crowd.people), "answered_after_return": len(sent)}
        report.add("Redis away", {**row, "first_after_s": round(min(sent), 2), "last_after_s": round(max(sent), 2)})


def isolation(ground: Ground, options: argparse.Namespace, report: Report) -> None:
    """How long others wait alone, beside somebody who floods, and beside a chat under a 429 of a minute.

    As many messages as the flood's, from many, tell what part of it is the work alone and no unfairness. By turns,
    several times: a machine that others use too is not the same from one minute to the next.
    """
    waited: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        waited["alone"] += _talk(ground, options)
        with _beside(ground, _FLOODER, _FLOOD_PER_S):
            waited["one floods"] += _talk(ground, options)
        ground.crowd.settled(patience_s=_WAIT_S, linger_s=0)
        with _beside(ground, _AS_MANY, _FLOOD_PER_S):
            waited["twenty say as much as the one"] += _talk(ground, options)
        ground.crowd.settled(patience_s=_WAIT_S, linger_s=0)
        ground.telegram.fault("throttle", chat=str(_THROTTLED[0]), retry_after=60, times=None)
        with _beside(ground, _THROTTLED, 1.0):
            waited["one chat under a 429 of 60 s"] += _talk(ground, options)
        ground.telegram.heal()
    alone = spread(milliseconds(waited["alone"]))
    for case, seconds in waited.items():
        found = spread(milliseconds(seconds))
        assert alone
        assert found
        row = {"case": case, "answers": found.count, "p50_ms": round(found.p50, 1), "p99_ms": round(found.p99, 1)}
        report.add("Isolation", {**row, "p99_to_alone": round(found.p99 / alone.p99, 2)})


def long_run(ground: Ground, options: argparse.Namespace, report: Report) -> None:
    """Memory and descriptors of each process, rows of each table, at a steady load; slopes after a third.

    RSS, since the processes are forked from one: what they still share falls apart as it is touched, and in PSS that
    looks like growth.
    """
    house, began = ground.house, time.monotonic()
    samples: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    tables = [_rows(house)]
    numbers, next_sample, said = count(1), began, 0
    while time.monotonic() - began < options.seconds:
        ground.crowd.say()
        said += 1
        if time.monotonic() >= next_sample:
            next_sample += _SAMPLE_EVERY_S
            for name, process in house.processes.items():
                held = memory([process.popen.pid]).rss_mb
                samples[name].append((time.monotonic() - began, held, _descriptors(process.popen.pid)))
                row = {"process": name, "after_s": round(samples[name][-1][0]), "rss_mb": round(held, 1)}
                report.add("Samples", {**row, "descriptors": samples[name][-1][2]})
        time.sleep(max(0.0, began + next(numbers) / options.rate - time.monotonic()))
    ground.crowd.settled(patience_s=_WAIT_S, linger_s=0)
    tables.append(_rows(house))
    for name, taken in samples.items():
        report.add("Slopes", {"process": name, **_slope(taken[len(taken) // 3 :])})
    for table in sorted(tables[1]):
        grown = tables[1][table] - tables[0].get(table, 0)
        if grown:
            row = {"table": table, "rows": tables[1][table], "grown": grown}
            report.add("Tables that grew", {**row, "rows_per_message": round(grown / said, 3)})


def plot(report: Report, across: str, up: tuple[str, ...], path: Path) -> None:
    """The first table as a picture: lines where it has processes, bars elsewhere."""
    import matplotlib as mpl  # noqa: PLC0415 (slow to load, and only here)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = next(iter(report.tables.values()))
    figure, axes = plt.subplots(1, len(up), figsize=(5 * len(up), 3.5), squeeze=False)
    for axis, name in zip(axes[0], up, strict=True):
        lines: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            lines[str(row.get("process", ""))].append(row)
        for line, points in lines.items():
            places = [point[across] for point in points]
            if line:
                axis.plot(places, [point[name] for point in points], label=line)
                axis.legend(fontsize="x-small")
            else:
                axis.bar([str(place) for place in places], [point[name] for point in points])
        axis.set_xlabel(across)
        axis.set_ylabel(name)
        axis.set_ylim(bottom=0)
        axis.tick_params(axis="x", labelsize="x-small")
    figure.suptitle(f"{report.name}, load {report.machine['load_before'][0]:g}", fontsize="small")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


# ---- parts ------------------------------------------------------------------------------------------------------


def _holders(house: House) -> set[tuple[str, int]]:
    """Who holds a conversation now, each with the fence of its claim."""
    with psycopg.connect(house.environment["PARLOUR_DATABASE__URL"]) as connection:
        query = "SELECT lease_owner, fence FROM conversations WHERE lease_owner IS NOT NULL"
        return {(owner, fence) for owner, fence in connection.execute(query)}


def _talk(ground: Ground, options: argparse.Namespace) -> list[float]:
    """Everybody in turn says something at that rate; how long each waited for the whole answer."""
    began, people = time.monotonic(), ground.crowd.people
    for number in range(int(options.seconds * options.rate)):
        time.sleep(max(0.0, began + number / options.rate - time.monotonic()))
        ground.crowd.say(people[number % len(people)])
    until(lambda: not (set(people) & _unanswered(ground, began)), timeout_s=_WAIT_S, told=lambda: ground.house.output)
    return list(_waits(ground, began).values())


def _waits(ground: Ground, since: float) -> dict[str, float]:
    """Seconds from each text that the crowd said since then to its answer."""
    said = {
        entry["text"]: entry["monotonic"]
        for entry in ground.telegram.journal("user_wrote")
        if entry["monotonic"] >= since and entry["chat"] in ground.crowd.people
    }
    answered: dict[str, float] = {}
    for entry in ground.telegram.journal("bot_sent", "bot_edited"):
        if entry["text"] in said:
            answered.setdefault(entry["text"], entry["monotonic"])
    return {text: at - said[text] for text, at in answered.items()}


def _unanswered(ground: Ground, since: float) -> set[int]:
    """Chats in which something that was said since then has no answer."""
    waits = _waits(ground, since)
    wrote = [entry for entry in ground.telegram.journal("user_wrote") if entry["monotonic"] >= since]
    return {entry["chat"] for entry in wrote if entry["text"] not in waits}


@contextmanager
def _beside(ground: Ground, people: Sequence[int], rate: float) -> Iterator[None]:
    """Meanwhile these people, one after another, say so many things a second."""
    over = Event()

    def go_on() -> None:
        for person in cycle(people):
            if over.wait(1 / rate):
                return
            ground.crowd.say(person)

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _slope(taken: list[tuple[float, float, int]]) -> dict[str, Any]:
    """Of the line through the memory's samples, and how many descriptors there were at both ends."""
    at, held = [one[0] for one in taken], [one[1] for one in taken]
    per_s = statistics.linear_regression(at, held).slope if len(taken) > 1 else 0.0
    return {
        "rss_mb": round(held[-1], 1),
        "mb_per_hour": round(per_s * 3_600, 1),
        "descriptors_before": taken[0][2],
        "descriptors_after": taken[-1][2],
    }


def _descriptors(root: int) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in tree([root]))


def _rows(house: House) -> dict[str, int]:
    """How many rows each table holds."""
    with psycopg.connect(house.environment["PARLOUR_DATABASE__URL"]) as connection:
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {
            name: connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()[0]  # type: ignore[index]
            for name in names
        }
