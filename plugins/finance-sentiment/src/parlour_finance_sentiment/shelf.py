"""Where the skill keeps what it knows: news by day, counts by subject, surges, labels, weights."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from parlour.sdk import SharedStore
from parlour_finance_sentiment.items import LABELS, Judged, Label, from_document, to_document
from parlour_finance_sentiment.subjects import ALL
from parlour_finance_sentiment.surge import PERIOD_MINUTES

# A document may have 64 KB; an item has up to about 1 KB in Chinese, written as JSON.
_ITEMS_A_DOCUMENT: Final = 40
_LABELS_A_DOCUMENT: Final = 40
_BYTES_A_DOCUMENT: Final = 40_000
# As many that the longest time news is kept fits into the 10,000 documents that a skill may have.
MOST_ITEMS_A_DAY: Final = 3_000

Counts = Mapping[Label, int]


class Shelf:
    """The skill's documents."""

    def __init__(self, shared: SharedStore) -> None:
        self._shared = shared

    # ---- news ----

    async def add(self, found: Sequence[Judged]) -> list[Judged]:
        """Keep the items, each day's with its own, and count them; those that found room."""
        kept: list[Judged] = []
        by_day: dict[date, list[Judged]] = defaultdict(list)
        for judged in found:
            by_day[judged.item.at.date()].append(judged)
        for day, of_day in by_day.items():
            there = await self.of_day(day)
            room = of_day[: max(0, MOST_ITEMS_A_DAY - len(there))]
            await self._write(day, there, room)
            kept += room
        await self._count(kept, 1)
        return kept

    async def of_day(self, day: date) -> list[Judged]:
        """The items of a day, in the order they came."""
        head = await self._shared.get("day", day.isoformat())
        documents = [
            await self._shared.get("news", f"{day}/{number}") for number in range(head["documents"] if head else 0)
        ]
        return [from_document(one) for document in documents if document for one in document["items"]]

    async def since(self, start: datetime, now: datetime) -> list[Judged]:
        """The items from `start` to `now`, the latest first."""
        days = (now.date() - start.date()).days
        found = [one for back in range(days + 1) for one in await self.of_day(now.date() - timedelta(days=back))]
        return sorted((one for one in found if start <= one.item.at <= now), key=lambda one: one.item.at, reverse=True)

    async def replace(self, changed: Sequence[Judged]) -> None:
        """Give items that are there another label, and count them anew."""
        new = {judged.item.id: judged for judged in changed}
        for day in {judged.item.at.date() for judged in changed}:
            there = await self.of_day(day)
            old = [one for one in there if one.item.id in new]
            await self._write(day, [], [new.get(one.item.id, one) for one in there])
            await self._count(old, -1)
            await self._count([new[one.item.id] for one in old], 1)

    async def forget_before(self, oldest: date) -> None:
        """Delete the news and counts of days before; what is kept does not grow without end."""
        for head in await self._shared.all("day"):
            if date.fromisoformat(head["id"]) < oldest:
                for number in range(head["documents"]):
                    await self._shared.delete("news", f"{head['id']}/{number}")
                await self._shared.delete("day", head["id"])
        for tally in await self._shared.all("tally"):
            if tally["id"].rpartition("/")[2] < oldest.strftime("%Y-%m"):
                await self._shared.delete("tally", tally["id"])

    async def _write(self, day: date, there: Sequence[Judged], more: Sequence[Judged]) -> None:
        """Write the documents of a day that change: the last one, and new ones."""
        everything, first = [*there, *more], len(there) // _ITEMS_A_DOCUMENT
        for number in range(first, -(-len(everything) // _ITEMS_A_DOCUMENT)):
            part = everything[number * _ITEMS_A_DOCUMENT : (number + 1) * _ITEMS_A_DOCUMENT]
            await self._shared.put("news", {"items": [to_document(one) for one in part]}, id=f"{day}/{number}")
        # Last, so that whoever reads meanwhile sees whole documents.
        await self._shared.put("day", {"documents": -(-len(everything) // _ITEMS_A_DOCUMENT)}, id=day.isoformat())

    # ---- counts ----

    async def _count(self, judged: Iterable[Judged], step: int) -> None:
        changes: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
        for one in judged:
            at = one.item.at
            for subject in (ALL, *one.entities, *one.topics):
                changes[f"{subject}/{at:%Y-%m}"][slot_of(at)][LABELS.index(one.label)] += step
        for name, slots in changes.items():
            document = await self._shared.get("tally", name) or {"slots": {}}
            for slot, counts in slots.items():
                before = document["slots"].get(slot, [0, 0, 0])
                document["slots"][slot] = [max(0, a + b) for a, b in zip(before, counts, strict=True)]
            await self._shared.put("tally", {"slots": document["slots"]}, id=name)

    async def counts(self, subject: str, start: datetime, end: datetime) -> list[tuple[int, int, int]]:
        """How many negative, neutral and positive items, for each period that begins from `start` to before `end`."""
        months = sorted({(day.year, day.month) for day in _days(start, end)})
        slots: dict[tuple[int, int], Mapping[str, Sequence[int]]] = {}
        for year, month in months:
            document = await self._shared.get("tally", f"{subject}/{year}-{month:02}")
            slots[year, month] = document["slots"] if document else {}
        made, at = [], start
        while at < end:
            negative, neutral, positive = slots[at.year, at.month].get(slot_of(at), (0, 0, 0))
            made.append((negative, neutral, positive))
            at += timedelta(minutes=PERIOD_MINUTES)
        return made

    # ---- what is watched, and what was told ----

    async def began(self, now: datetime) -> datetime:
        """Since when sources are read: before that, no news means nothing."""
        document = await self._shared.get("state", "began")
        if document is None:
            await self._shared.put("state", {"at": now.isoformat()}, id="began")
            return now
        return datetime.fromisoformat(document["at"])

    async def watched(self) -> list[str]:
        """The subjects that a conversation watches."""
        return [document["id"] for document in await self._shared.all("watch")]

    async def watch(self, subject: str) -> None:
        """Test this subject from now on."""
        await self._shared.put("watch", {}, id=subject)

    async def unwatch(self, subject: str) -> None:
        """Nobody watches it any more."""
        await self._shared.delete("watch", subject)

    async def surges(self, subject: str) -> list[dict[str, Any]]:
        """The surges of a subject that were found, oldest first."""
        document = await self._shared.get("surges", subject)
        return list(document["surges"]) if document else []

    async def put_surges(self, subject: str, surges: Sequence[Mapping[str, Any]]) -> None:
        """Write the surges of a subject; the latest fifty are kept."""
        await self._shared.put("surges", {"surges": [dict(one) for one in surges[-50:]]}, id=subject)

    async def put_sources(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Write how each source went."""
        await self._shared.put("state", {"sources": {url: dict(state) for url, state in states.items()}}, id="sources")

    async def sources(self) -> dict[str, dict[str, Any]]:
        """How each source went when it was last read."""
        document = await self._shared.get("state", "sources")
        return dict(document["sources"]) if document else {}

    async def put_folder(self, folder: str, problem: str, items: int, now: datetime) -> None:
        """Write how the folder went, beside the sources."""
        state = {"problem": problem, "items": items, "at": now.isoformat()}
        await self.put_sources({**await self.sources(), f"folder {folder}": state})

    async def files_read(self) -> dict[str, list[int]]:
        """The files of the folder as they were when they were read."""
        document = await self._shared.get("state", "files")
        return dict(document["files"]) if document else {}

    async def put_files_read(self, files: Mapping[str, list[int]]) -> None:
        """Remember them, in the place of those before."""
        await self._shared.put("state", {"files": dict(files)}, id="files")

    async def ask_for_learning(self) -> None:
        """Learn at the next poll."""
        await self._shared.put("state", {}, id="learning")

    async def was_learning_asked(self) -> bool:
        """Whether that was asked for; it is not any more."""
        return await self._shared.delete("state", "learning")

    # ---- companies, labels, weights: what an operator hands in ----

    async def companies(self) -> list[str]:
        """The lines that an operator added."""
        return [line for document in await self._parts("companies") for line in document["lines"]]

    async def put_companies(self, lines: Sequence[str]) -> None:
        """Put these lines in place of those there."""
        await self._put_parts("companies", [{"lines": list(part)} for part in _parted(lines, 200)])

    async def labels(self) -> list[tuple[str, Label]]:
        """Sentences that the operator's people labelled."""
        return [(text, label) for document in await self._parts("labels") for text, label in document["labels"]]

    async def put_labels(self, labels: Sequence[tuple[str, Label]]) -> None:
        """Put these in place of those there."""
        parts = [{"labels": [list(one) for one in part]} for part in _parted(labels, _LABELS_A_DOCUMENT)]
        await self._put_parts("labels", parts)

    async def weights(self, language: str) -> bytes | None:
        """What was learnt from labels, None where nothing was."""
        parts = await self._parts(f"weights-{language}", kind="weights")
        return b"".join(base64.b64decode(part["bytes"]) for part in parts) or None

    async def put_weights(self, language: str, content: bytes) -> None:
        """Use these from now on."""
        parts = [content[at : at + _BYTES_A_DOCUMENT] for at in range(0, len(content), _BYTES_A_DOCUMENT)]
        documents = [{"bytes": base64.b64encode(part).decode()} for part in parts]
        await self._put_parts(f"weights-{language}", documents, kind="weights")

    async def _parts(self, name: str, *, kind: str = "") -> list[dict[str, Any]]:
        head = await self._shared.get("state", name)
        parts = (
            [await self._shared.get(kind or name, f"{name}/{head['run']}/{number}") for number in range(head["parts"])]
            if head
            else []
        )
        return [part for part in parts if part is not None]

    async def _put_parts(self, name: str, parts: Sequence[Mapping[str, Any]], *, kind: str = "") -> None:
        """Write parts beside the old ones, then the head that names them, then delete the old: never half of each."""
        old = await self._shared.get("state", name)
        run = 1 - old["run"] if old else 0
        for number, part in enumerate(parts):
            await self._shared.put(kind or name, part, id=f"{name}/{run}/{number}")
        await self._shared.put("state", {"run": run, "parts": len(parts)}, id=name)
        for number in range(old["parts"] if old else 0):
            await self._shared.delete(kind or name, f"{name}/{1 - run}/{number}")


def slot_of(at: datetime) -> str:
    """The period of a time within its month."""
    return f"{at.day}:{(at.hour * 60 + at.minute) // PERIOD_MINUTES}"


def period_start(at: datetime) -> datetime:
    """When the period of a time began."""
    return at.replace(minute=at.minute // PERIOD_MINUTES * PERIOD_MINUTES, second=0, microsecond=0)


def _days(start: datetime, end: datetime) -> list[date]:
    return [start.date() + timedelta(days=back) for back in range((end.date() - start.date()).days + 1)]


def _parted(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
