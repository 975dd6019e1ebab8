"""Learns the weights that come along from the sentences that come along: python -m parlour_finance_sentiment.build."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from parlour_finance_sentiment.items import Language
from parlour_finance_sentiment.readers import encoder
from parlour_finance_sentiment.seeds import seeds_of
from parlour_finance_sentiment.sentiment.training import train

_TEMPERATURE: Final = 1.25


def build(language: Language) -> bytes:
    """The weights of a language, the same whenever they are built from the same sentences."""
    seeds = seeds_of(language)
    learnt = train([text for text, _ in seeds], [label for _, label in seeds], language, encoder())
    # Sentences that were written are easier than news: what they say of how sure to be is not believed.
    return replace(learnt, temperature=_TEMPERATURE).to_bytes()


def main() -> None:
    """Write the files."""
    folder = Path(__file__).parent / "data"
    for language in ("en", "zh"):
        file = folder / f"weights-{language}.npz"
        file.write_bytes(build(language))
        print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201 (a program's output)


if __name__ == "__main__":
    main()
