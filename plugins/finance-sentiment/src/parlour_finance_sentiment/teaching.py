"""Learning from the labels of the operator's own people."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Final

from parlour_finance_sentiment.items import Label, Language, language_of
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.wording import say

MOST_LABELS: Final = 20_000
_LABELS: Final[dict[str, Label]] = {
    "negative": "negative", "neg": "negative", "-1": "negative", "负面": "negative", "利空": "negative",
    "neutral": "neutral", "neu": "neutral", "0": "neutral", "中性": "neutral",
    "positive": "positive", "pos": "positive", "1": "positive", "正面": "positive", "利好": "positive",
}  # fmt: skip
_LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


def label_of(word: str) -> Label | None:
    """The label that a word means, None where it means none."""
    return _LABELS.get(word.strip().casefold())


def read_labels(text: str) -> tuple[list[tuple[str, Label]], list[str]]:
    """Labelled sentences in CSV or TSV with columns `text` and `label`, or JSON lines with the same; and problems."""
    good: list[tuple[str, Label]] = []
    problems = []
    for number, sentence, word in _rows(text):
        label = label_of(word)
        if label is None or not sentence.strip():
            problems.append(f"Row {number}: {word[:20]!r} is no label. There are: negative, neutral, positive.")
        elif len(good) < MOST_LABELS:
            good.append((sentence.strip()[:400], label))
    return good, problems


async def retrain(shelf: Shelf, language: str) -> list[str]:
    """Learn from all labels there are, each language by itself; what became of it, in the person's language."""
    labels = await shelf.labels()
    if not labels:
        return [say("no_labels", language)]
    # scikit-learn is only needed here, and takes a second to load.
    from parlour_finance_sentiment.readers import encoder  # noqa: PLC0415
    from parlour_finance_sentiment.seeds import seeds_of  # noqa: PLC0415
    from parlour_finance_sentiment.sentiment.training import TooFewLabels, train  # noqa: PLC0415

    told = []
    for of in _LANGUAGES:
        own = [(text, label) for text, label in labels if language_of(text) == of]
        if not own:
            continue
        # The sentences that come along are learnt too: a few labels alone would forget the rest.
        every = [*seeds_of(of), *own]
        try:
            weights = train([text for text, _ in every], [label for _, label in every], of, encoder())
        except TooFewLabels as error:
            told.append(say("too_few", language, language=of, problem=str(error)))
            continue
        await shelf.put_weights(of, weights.to_bytes())
        told.append(say("retrained", language, language=of, number=len(own)))
    return told


def _rows(text: str) -> Iterator[tuple[int, str, str]]:
    if text.lstrip()[:1] == "{":
        for number, line in enumerate(text.splitlines(), 1):
            try:
                one = json.loads(line) if line.strip() else None
            except ValueError:
                one = {}
            if one is not None:
                yield number, str(one.get("text", "")), str(one.get("label", ""))
        return
    head = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in head else ",")
    for number, row in enumerate(rows, 2):
        yield number, row.get("text") or "", row.get("label") or ""
