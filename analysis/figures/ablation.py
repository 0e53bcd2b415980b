"""Figure 3: mean and median error of each single augmentation, contrastive left."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from analysis.figures.canvas import MUTED, PAPER, SERIES, Drawing, new_figure, wrapped
from analysis.figures.rows import ROW_IN
from analysis.grid import Grid, GridColumn
from analysis.notation import TOKENS, objective_base
from analysis.tables.ablation import REGRESSABLE

_MAX_COLUMNS = 4

_METRICS = (("mpjpe_cm", "MPJE", 0.45), ("median_pje_cm", "median PJE", 1.0))


def ablation_drawings(grid: Grid) -> list[Drawing]:
    """The paper's figure 3 with our numbers, four columns a drawing; none without objectives."""
    order = {"contrastive": 0, "relative": 1}
    columns = sorted(grid.plain, key=lambda c: order.get(objective_base(c.variant), 2))
    return [
        _drawing(grid, columns[start : start + _MAX_COLUMNS], start // _MAX_COLUMNS)
        for start in range(0, len(columns), _MAX_COLUMNS)
    ]


def _drawing(grid: Grid, columns: Sequence[GridColumn], position: int) -> Drawing:
    names = [f"{name.replace('_', ' ')} ({token})" for name, token in TOKENS.items()]
    width = min(9.9, 1.8 + 2.6 * len(columns))
    figure, panels = new_figure(width, 1.3 + 1.35 * ROW_IN * len(names), len(columns), sharey=True)
    run = sum(grid.cell(c, t).best is not None for c in columns for t in TOKENS.values())
    drawing = Drawing(
        key="figure3_single" + (f"_{position + 1}" if position else ""),
        title="Figure 3: each augmentation alone" + (" (continued)" if position else ""),
        alt=f"Bar charts of mean and median error of single augmentations; {run} of "
        f"{len(columns) * len(TOKENS)} have been run.",
        caption="Mean (light) and median (full) per-joint error in cm of the linear probe after "
        "pretraining with one augmentation; lower is better; mean over seeds. Order of the "
        f"objectives as in the paper's figure 3, contrastive left. {_runs(grid, columns)}",
        figure=figure,
    )
    for column, axes in zip(columns, panels, strict=True):
        colour = SERIES[grid.columns.index(column) % len(SERIES)]
        axes.grid(visible=False, axis="y")
        axes.set_title(wrapped(column.title, 2.3))
        axes.set_xlabel("error (cm)")
        for row, token in enumerate(TOKENS.values()):
            _bars(drawing, axes, grid, column, (row, token, colour))
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    return drawing


def _runs(grid: Grid, columns: Sequence[GridColumn]) -> str:
    """Fidelity and number of runs of every study in the figure."""
    sentences = []
    for study in {column.study.name: column.study for column in columns}.values():
        cells = [
            grid.cell(column, token)
            for column in columns
            if column.study is study
            for token in TOKENS.values()
        ]
        n = sum(cell.best.seeds for cell in cells if cell.best)
        sentences.append(f"{study.title}; {n} run{'s' if n != 1 else ''}.")
    return " ".join(sentences)


def _bars(
    drawing: Drawing, axes: Axes, grid: Grid, column: GridColumn, bar: tuple[int, str, str]
) -> None:
    row, token, colour = bar
    cell = grid.cell(column, token)
    for offset, (metric, name, alpha) in zip((-0.2, 0.2), _METRICS, strict=True):
        summary = cell.best.summary(metric) if cell.best else None
        if summary is None:
            continue
        axes.barh(row + offset, summary.mean, height=0.38, color=PAPER)  # hides the grid
        (patch,) = axes.barh(row + offset, summary.mean, height=0.38, color=colour, alpha=alpha)
        drawing.tip(
            patch,
            f"{token}, {name}: {summary.mean:.2f} cm, "
            f"{summary.n} seed{'s' if summary.n != 1 else ''}",
        )
    if cell.best is None:
        impossible = objective_base(column.variant) == "relative" and token not in REGRESSABLE
        state = "not regressable" if impossible and cell.state == "not run" else cell.state
        axes.text(0, row, f" {state}", va="center", color=MUTED, fontsize=8.5, style="italic")
