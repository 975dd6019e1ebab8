"""Sentences with their sentiment, written for this skill: what it learns from before an operator labels anything."""

from functools import cache
from importlib.resources import files

from parlour_finance_sentiment.items import LABELS, Label, Language


@cache
def seeds_of(language: Language) -> tuple[tuple[str, Label], ...]:
    """The sentences of a language."""
    text = (files("parlour_finance_sentiment") / "data" / f"seeds-{language}.tsv").read_text(encoding="utf-8")
    parted = [line.partition("\t")[::2] for line in text.splitlines() if line and not line.startswith("#")]
    known = {label: label for label in LABELS}
    return tuple((sentence, known[label]) for label, sentence in parted)  # type: ignore[index]
