"""The composition search: our errors as bars, the published ones as markers in the same rows."""

from matplotlib.axes import Axes

from analysis.figures.canvas import GRID, INK, MUTED, PAPER, SERIES, Drawing, new_figure, slug
from analysis.figures.rows import ROW_IN
from analysis.grid import RANKED_BY, Grid, GridColumn
from analysis.notation import objective_base
from analysis.published import COMPOSITIONS
from analysis.statistics import Summary


def composition_drawings(grid: Grid) -> list[Drawing]:
    """One figure per objective: median error of every composition, in the paper's order."""
    return [_drawing(grid, column, position) for position, column in enumerate(grid.columns)]


def _drawing(grid: Grid, column: GridColumn, position: int) -> Drawing:
    labels = grid.rows(column)
    published = {
        label: value.median_pje_cm
        for (objective, label), value in COMPOSITIONS.items()
        if objective == objective_base(column.variant)
    }
    figure, axes = new_figure(6.4, 1.0 + ROW_IN * len(labels), 2 if published else 1, sharey=True)
    best = grid.best(column)
    drawing = Drawing(
        key=f"compositions_{slug(column.study.name, column.variant)}",
        title=f"{column.title}: median error of every composition",
        alt=_alt(grid, column, best[0] if best else None),
        caption=(
            f"Median per-joint error of the linear probe (cm, lower is better); "
            f"{column.study.title}. Bars: mean over seeds, whiskers: one standard "
            "deviation. "
            + (
                "Diamonds: table 5 of the paper, on a separate axis: data and budget differ, so "
                "compare the order only. "
                if published
                else ""
            )
            + "Full colour: the best composition."
        ),
        figure=figure,
    )
    colour = SERIES[position % len(SERIES)]
    _bars(drawing, axes[0], grid, column, colour=colour)
    if published:
        _markers(drawing, axes[1], labels, published)
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    return drawing


def _bars(drawing: Drawing, axes: Axes, grid: Grid, column: GridColumn, *, colour: str) -> None:
    best = (grid.best(column) or ("",))[0]
    axes.set_title("Ours")
    axes.set_xlabel("median PJE (cm)")
    axes.grid(visible=False, axis="y")
    for row, label in enumerate(grid.rows(column)):
        cell = grid.cell(column, label)
        summary = cell.best.summary(RANKED_BY) if cell.best else None
        if summary is None:
            text = cell.state if cell.best is None else "not recorded"
            axes.text(0, row, f" {text}", va="center", color=MUTED, fontsize=8.5, style="italic")
            continue
        axes.barh(row, summary.mean, height=0.62, color=PAPER)  # hides the grid behind the bar
        (bar,) = axes.barh(
            row, summary.mean, height=0.62, color=colour, alpha=1.0 if label == best else 0.55
        )
        drawing.tip(bar, f"{label}: {_in_words(summary)}")
        if summary.sd is not None:
            axes.errorbar(summary.mean, row, xerr=summary.sd, color=INK, capsize=2, linewidth=1)
    axes.set_xlim(left=0)


def _markers(
    drawing: Drawing, axes: Axes, labels: tuple[str, ...], published: dict[str, float]
) -> None:
    axes.set_title("Published (table 5)")
    axes.set_xlabel("median PJE (cm)")
    axes.grid(visible=False, axis="y")
    best = min(published, key=lambda label: published[label])
    for row, label in enumerate(labels):
        if label not in published:
            continue
        value = published[label]
        axes.plot([0, value], [row, row], color=GRID, linewidth=1.2, zorder=1)
        size, face = (6, INK) if label == best else (5, "none")
        (marker,) = axes.plot(
            value, row, "D", color=INK, markersize=size, markerfacecolor=face, zorder=2
        )
        drawing.tip(marker, f"{label}, published: {value:.2f} cm")
    axes.set_xlim(left=0)


def _in_words(summary: Summary) -> str:
    spread = "one seed" if summary.sd is None else f"± {summary.sd:.2f} over {summary.n} seeds"
    return f"{summary.mean:.2f} cm, {spread}"


def _alt(grid: Grid, column: GridColumn, best: str | None) -> str:
    finished = grid.finished(column)
    if best is None:
        return f"Bar chart of {column.title}: nothing has finished yet."
    worst = max(finished, key=lambda label: finished[label].score)
    return (
        f"Bar chart of the median per-joint error of {len(finished)} compositions pretrained with "
        f"{column.title}. Best: {best}, {finished[best].score:.2f} cm; "
        f"worst: {worst}, {finished[worst].score:.2f} cm."
    )
