"""Values with intervals, one a row: used for ranking, differences and contributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from analysis.figures.canvas import GRID, INK, MUTED, Drawing
from analysis.statistics import Interval

ROW_IN = 0.27
"""Height of a row, inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A value with its interval.

    Attributes:
        label: Its name on the axis.
        value: The value, None where there is none.
        interval: Its interval.
        note: Text after the mark, as in `P(best) 0.62`.
        strong: Whether the mark is emphasised.
    """

    label: str
    value: float | None
    interval: Interval | None = None
    note: str = ""
    strong: bool = False


def draw_rows(
    drawing: Drawing, axes: Axes, rows: Sequence[Row], *, colour: str, unit: str, zero: bool
) -> None:
    """Draw the rows from top to bottom, with a line at zero if `zero`."""
    axes.grid(visible=False, axis="y")
    if zero:
        axes.axvline(0, color=MUTED, linewidth=1)
    for position, row in enumerate(rows):
        if row.value is None:
            axes.text(0, position, " not run", va="center", color=MUTED, fontsize=8.5)
            continue
        axes.axhline(position, color=GRID, linewidth=0.4, zorder=0)
        text = f"{row.label}: {row.value:.2f} {unit}"
        if row.interval:
            text += f", 95% interval {row.interval.low:.2f} to {row.interval.high:.2f}"
            span_cm = [row.interval.low, row.interval.high]
            (line,) = axes.plot(span_cm, [position] * 2, color=colour, linewidth=2.2, alpha=0.55)
            line.set_solid_capstyle("butt")
        size, edge = (7, INK) if row.strong else (5.5, colour)
        (mark,) = axes.plot(
            row.value, position, "o", color=colour, markersize=size, markeredgecolor=edge
        )
        drawing.tip(mark, f"{text}{'; ' if row.note else ''}{row.note}")
        if row.note:
            x = row.interval.high if row.interval else row.value
            text_style: Any = {"va": "center", "color": MUTED, "fontsize": 8}
            axes.annotate(
                row.note, (x, position), (5, 0), textcoords="offset points", **text_style
            )
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.12)
