"""Charts as pictures. A chart that cannot be drawn whole, every letter of it, is none: it is shown as a table then."""

import importlib
import threading
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Final

import structlog

from parlour.sdk.replies import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = structlog.get_logger(__name__)

_WIDTH_IN: Final = 8.0
_HEIGHT_IN: Final = 4.5
_DPI: Final = 160
# More are neither told apart nor read; the table has them all.
_MOST_SERIES: Final = 10
_MOST_LABELS: Final = 2_000
_MOST_TICKS: Final = 12
_LATIN: Final = "DejaVu Sans"
# What has Chinese, in the order of preference: that of the extra first, then what systems bring.
_CHINESE: Final = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Microsoft YaHei", "PingFang SC",
)  # fmt: skip
# Colours that are told apart without red and green (Okabe and Ito), as few as there are; then line styles part them.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES: Final = ("-", "--", ":", "-.")
# The library keeps state that threads would share.
_DRAWING: Final = threading.Lock()


def png(chart: Chart) -> bytes | None:
    """The chart as a PNG; None where it cannot be drawn: no library, no font for its letters, too much in it."""
    if not 0 < len(chart.series) <= _MOST_SERIES or not 0 < len(chart.labels) <= _MOST_LABELS:
        return None
    try:
        with _DRAWING:
            return _draw(chart)
    except ImportError:
        log.info("charts_not_drawn", remedy="pip install 'parlour[charts]'")
        return None
    except Exception as error:  # noqa: BLE001 (numbers of any kind come from a skill; the table shows them all the same)
        log.warning("chart_not_drawn", reason=type(error).__name__)
        return None


def _draw(chart: Chart) -> bytes | None:
    # Optional, and slow to load.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    words = "".join((chart.title, *chart.labels, *(one.name for one in chart.series)))
    families = _families(frozenset(letter for letter in words if letter.isprintable() and not letter.isspace()))
    if families is None:
        return None
    # A `$` in a label is money, not mathematics.
    with rc_context({"font.family": families, "axes.unicode_minus": False, "text.parse_math": False}):
        # Not pyplot, which keeps every figure: this one goes when it is drawn.
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, layout="constrained")
        _plot(figure, chart)
        drawn = BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
        return drawn.getvalue()


def _plot(figure: "Figure", chart: Chart) -> None:
    axes = figure.subplots()
    places = list(range(len(chart.labels)))
    for number, series in enumerate(chart.series):
        colour = _COLOURS[number % len(_COLOURS)]
        if chart.kind == "bar":
            width = 0.8 / len(chart.series)
            left = [place - 0.4 + width * (number + 0.5) for place in places]
            axes.bar(left, series.values, width, label=series.name, color=colour)
        else:
            style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
            is_short = len(places) <= _MOST_TICKS * 2
            axes.plot(
                places, series.values, style, label=series.name, color=colour, marker="o" if is_short else "",
                markersize=4, linewidth=2,
            )  # fmt: skip
    axes.set_title(chart.title)
    _label(axes, chart, places)


def _label(axes: "Axes", chart: Chart, places: list[int]) -> None:
    shown = places[:: max(1, -(-len(places) // _MOST_TICKS))]
    longest = max(len(chart.labels[place]) for place in shown)
    is_tight = longest * len(shown) > 90  # noqa: PLR2004 (letters that stand side by side at this width)
    texts = [chart.labels[place] for place in shown]
    axes.set_xticks(shown, texts, rotation=30 if is_tight else 0, ha="right" if is_tight else "center")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(chart.series) > 1:
        axes.legend(frameon=False)


def _families(letters: frozenset[str]) -> list[str] | None:
    """Fonts that together have all the letters, None where no two of them do."""
    latin = _letters_of(_LATIN)
    missing = letters - latin
    if not missing:
        return [_LATIN]
    for family in _CHINESE:
        if missing <= _letters_of(family):
            return [_LATIN, family]
    return None


@cache
def _letters_of(family: str) -> frozenset[str]:
    """What the font has, nothing where it is not installed."""
    from matplotlib import font_manager  # noqa: PLC0415 (as above)

    _add_own_fonts()
    try:
        found = font_manager.findfont(family, fallback_to_default=False)
    except ValueError:
        return frozenset()
    return frozenset(chr(code) for code in font_manager.get_font(found).get_charmap())


@cache
def _add_own_fonts() -> None:
    """The font that comes with the extra, where it was installed."""
    from matplotlib import font_manager  # noqa: PLC0415 (as above)

    try:
        # By name: a collection of font files has no types, and is not there everywhere.
        fonts = importlib.import_module("noto_cjk_sans_otc")
    except ImportError:
        return
    font_manager.fontManager.addfont(str(fonts.FONT_PATH))
