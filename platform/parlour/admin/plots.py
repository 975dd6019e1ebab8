"""Plots as SVG made on the server: bars by the hour. Every one has its numbers in a table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 720
HEIGHT = 160
_GAP = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a column; `kind` is its class in the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Stacked columns, and the largest of them to write at the top of the scale."""

    bars: Sequence[Bar]
    top: float
    labels: Sequence[tuple[float, str]]


def columns(values: Sequence[Sequence[tuple[str, float]]], labels: Sequence[str], words: Sequence[str]) -> Plot:
    """One column a value, each of parts `(kind, height)` from the bottom up, all in one scale from zero."""
    top = max((sum(height for _, height in parts) for parts in values), default=0)
    step = WIDTH / max(1, len(values))
    bars = []
    for number, parts in enumerate(values):
        below = 0.0
        for kind, value in parts:
            height = HEIGHT * value / top if top else 0.0
            below += height
            if height:
                x, y = number * step + _GAP / 2, HEIGHT - below
                bars.append(Bar(round(x, 2), round(y, 2), round(step - _GAP, 2), round(height, 2), kind, words[number]))
    every = [(round((number + 0.5) * step, 2), label) for number, label in enumerate(labels) if number % 4 == 0]
    return Plot(bars, top, every)
