"""News that was there already, in the same words or nearly the same."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from parlour_finance_sentiment.items import Item, folded

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_PIECE: Final = 4
_ALIKE: Final = 0.75


class Repeats:
    """The titles that are known."""

    def __init__(self, titles: Iterable[str] = ()) -> None:
        self._ids: set[str] = set()
        self._pieces: list[frozenset[str]] = []
        self._with: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for title in titles:
            self._add(folded(title), title)

    def is_new(self, item: Item) -> bool:
        """Whether nothing like it is known; it is known from now on.

        Titles that share three quarters of their pieces are the same news, unless their figures differ.
        """
        plain = folded(item.title)
        if not plain or plain in self._ids:
            return False
        pieces = _pieces(plain)
        for place in self._with[_figures(item.title)]:
            other = self._pieces[place]
            if len(pieces & other) >= _ALIKE * len(pieces | other):
                return False
        self._add(plain, item.title)
        return True

    def _add(self, plain: str, title: str) -> None:
        self._ids.add(plain)
        self._with[_figures(title)].append(len(self._pieces))
        self._pieces.append(_pieces(plain))


def _pieces(plain: str) -> frozenset[str]:
    return frozenset(plain[at : at + _PIECE] for at in range(max(1, len(plain) - _PIECE + 1)))


def _figures(title: str) -> tuple[str, ...]:
    return tuple(sorted(_NUMBER.findall(title)))
