"""Values with their intervals, one a row: the form of the ranking, the differences, the shares."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        note: Text behind it, as in ``P(best) 0.62``.
        strong: Whether it is set off.
    """

    label: str
    value: float | None
    interval: Interval | None = None
    note: str = ""
    strong: bool = False


def draw_rows(
    drawing: Drawing, axes: Axes, rows: Sequence[Row], *, colour: str, unit: str, zero: bool
) -> None:
    """Draws the rows top down; a line marks zero where that is what counts."""
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
            axes.plot(
                [row.interval.low, row.interval.high], [position] * 2, color=colour, linewidth=2.2,
                alpha=0.55, solid_capstyle="butt",
            )  # fmt: skip
        (mark,) = axes.plot(
            row.value, position, "o", color=colour, markersize=7 if row.strong else 5.5,
            markeredgecolor=INK if row.strong else colour,
        )  # fmt: skip
        drawing.tip(mark, f"{text}{'; ' if row.note else ''}{row.note}")
        if row.note:
            end = row.interval.high if row.interval else row.value
            axes.annotate(
                row.note, (end, position), (5, 0), textcoords="offset points", va="center",
                color=MUTED, fontsize=8,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.12)
