"""The data sets, as questions with labels. None of them comes with Parlour: name their folder with `--data`."""

import csv
import json
import random
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BANKING: Final = "banking77/train.csv"
CROSSWOZ: Final = "crosswoz/val.json.zip"
HEADLINES: Final = "financial_phrasebank/train.tsv"
_LEAST_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """Questions and what each is about; `groups[i]` must not be parted between learning and trying."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    def some(self, places: Sequence[int]) -> "Labelled":
        """Those at these places."""
        return Labelled(*(tuple(column[at] for at in places) for column in (self.texts, self.labels, self.groups)))


def banking(folder: Path) -> Labelled:
    """banking77's training file (PolyAI): English questions to a bank, 77 intents."""
    with (folder / BANKING).open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["category"]]
    texts, labels = tuple(row["text"] for row in rows), tuple(row["category"] for row in rows)
    return Labelled(texts, labels, tuple(str(number) for number in range(len(rows))))


def crosswoz(folder: Path) -> Labelled:
    """CrossWOZ's validation dialogues (thu-coai): what people ask for, where it is one thing (`酒店-电话`)."""
    with zipfile.ZipFile(folder / CROSSWOZ) as archive:
        dialogues = json.loads(archive.read("val.json"))
    rows = [(*asked, name) for name, dialogue in dialogues.items() for asked in _requests(dialogue)]
    often = {label for label, count in Counter(row[1] for row in rows).items() if count >= _LEAST_EXAMPLES}
    return Labelled(*zip(*(row for row in rows if row[1] in often), strict=True))


def _requests(dialogue: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for message in dialogue["messages"]:
        wanted = {f"{act[1]}-{act[2]}" for act in message["dialog_act"] if act[0] == "Request"}
        if message["role"] == "usr" and len(wanted) == 1:
            yield message["content"], wanted.pop()


def headlines(folder: Path) -> list[str]:
    """Sentences of financial news (Malo et al. 2014): nothing that anyone asks a bank's desk."""
    rows = (folder / HEADLINES).read_text(encoding="utf-8").splitlines()[1:]
    return [max(row.split("\t"), key=len) for row in rows]


def parted(data: Labelled, seed: int, share: float) -> tuple[Labelled, Labelled]:
    """Two parts by groups, the first with this share of them."""
    groups = sorted(set(data.groups))
    random.Random(seed).shuffle(groups)  # noqa: S311 (which part of the data, nothing secret)
    first = set(groups[: int(len(groups) * share)])
    within = [at for at, group in enumerate(data.groups) if group in first]
    return data.some(within), data.some([at for at, group in enumerate(data.groups) if group not in first])


def few(data: Labelled, seed: int, each: int) -> tuple[Labelled, Labelled]:
    """At most so many of each label, and the rest."""
    places = list(range(len(data.texts)))
    random.Random(seed).shuffle(places)  # noqa: S311 (as above)
    seen: Counter[str] = Counter()
    chosen = []
    for at in places:
        seen[data.labels[at]] += 1
        if seen[data.labels[at]] <= each:
            chosen.append(at)
    return data.some(chosen), data.some(sorted(set(places) - set(chosen)))
