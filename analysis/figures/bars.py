"""Bar charts: the composition search, ours beside the published, and figure 3."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from analysis.baselines import best_of_kinds
from analysis.figures.canvas import (
    GRID,
    INK,
    MUTED,
    PAPER,
    ROW_IN,
    Drawing,
    new_drawing,
    series,
    slug,
    wrapped,
)
from analysis.grid import Grid, GridColumn
from analysis.notation import TOKENS, plural
from analysis.records import ABSOLUTE, Metric
from analysis.statistics import Summary
from analysis.tables.compositions import cell_state

_MAX_COLUMNS = 4
_METRICS = (("mpjpe_cm", "MPJE", 0.45), ("median_pje_cm", "median PJE", 1.0))


def composition_drawings(grid: Grid) -> list[Drawing]:
    """One figure per objective: the error of every composition, in the paper's order."""
    return [_compositions(grid, column) for column in grid.columns]


def _compositions(grid: Grid, column: GridColumn) -> Drawing:
    labels = grid.rows(column)
    absolute = column.published if column.metric == ABSOLUTE else {}
    published = {label: value.median_pje_cm for label, value in absolute.items()}
    best = (grid.best(column) or ("",))[0]
    lines = best_of_kinds(column.study)
    drawing, panels = new_drawing(
        (6.4, 1.0 + ROW_IN * (len(labels) + len(lines))),
        panels=2 if published else 1,
        key=f"compositions_{slug(*column.key)}",
        title=f"{column.title}: {column.metric.noun} of every composition",
        alt=_alt(grid, column, best),
        caption=f"{column.metric.heading} of the linear probe ({column.metric.unit}, lower is "
        f"better); "
        f"{column.study.title}. Bars: mean over seeds, whiskers: one standard deviation. "
        + (
            "Diamonds: table 5 of the paper, on a separate axis: data and budget differ, so "
            "compare the order only. "
            if published
            else ""
        )
        + "Full colour: the best composition. "
        + ("Dashed: " if lines else "No baselines are recorded.")
        + "; ".join(item.title[0].lower() + item.title[1:] for item, _ in lines)
        + ("." if lines else ""),
    )
    _ours(drawing, panels[0], grid, column, best)
    if published:
        _markers(drawing, panels[1], labels, published)
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylim(len(labels) - 0.4, -0.6 - 0.9 * len(lines))
    widest = max((value for _, value in lines), default=0.0)
    panels[0].set_xlim(right=max(panels[0].get_xlim()[1], 1.02 * widest))
    for row, (item, value) in enumerate(lines):
        text = f"{item.title}, {value:.2f} {column.metric.unit}"
        top = -1.0 - 0.9 * row
        span = [len(labels) - 0.4, top]
        (line,) = panels[0].plot([value] * 2, span, "--", color=INK, linewidth=0.9)
        drawing.tip(line, text)
        right = value > panels[0].get_xlim()[1] / 2
        label: Any = {"textcoords": "offset points", "fontsize": 8, "va": "center", "color": INK}
        label["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}
        label |= {"xytext": (-3, 0), "ha": "right"} if right else {"xytext": (3, 0)}
        panels[0].annotate(text, (value, top), **label)
    return drawing


def _panel(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(unit)
    axes.grid(visible=False, axis="y")


def _ours(drawing: Drawing, axes: Axes, grid: Grid, column: GridColumn, best: str) -> None:
    _panel(axes, "Ours", column.metric.axis)
    colour = series(column.position)
    for row, label in enumerate(grid.rows(column)):
        cell = grid.cell(column, label)
        summary = cell.summary(column.metric.name)
        if summary is None:
            _without_number(axes, row, "not recorded" if cell.best else cell.state)
            continue
        alpha = 1.0 if label == best else 0.55
        bar = _bar(axes, row, summary.mean, height=0.62, color=colour, alpha=alpha)
        drawing.tip(bar, f"{label}: {_in_words(summary, column.metric)}")
        if summary.sd is not None:
            axes.errorbar(summary.mean, row, xerr=summary.sd, color=INK, capsize=2, linewidth=1)
    axes.set_xlim(left=0)


def _bar(axes: Axes, at: float, value: float, **style: Any) -> Any:
    """A bar; white below it hides the grid."""
    axes.barh(at, value, height=style["height"], color=PAPER)
    (bar,) = axes.barh(at, value, **style)
    return bar


def _without_number(axes: Axes, row: int, state: str) -> None:
    axes.text(0, row, f" {state}", va="center", color=MUTED, fontsize=8.5, style="italic")


def _markers(
    drawing: Drawing, axes: Axes, labels: Sequence[str], published: Mapping[str, float]
) -> None:
    _panel(axes, "Published (table 5)", "median PJE (cm)")
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


def _in_words(summary: Summary, metric: Metric) -> str:
    spread = "one seed" if summary.sd is None else f"± {summary.sd:.2f} over {summary.n} seeds"
    return f"{summary.mean:.2f} {metric.unit}, {spread}"


def _alt(grid: Grid, column: GridColumn, best: str) -> str:
    finished = grid.finished(column)
    baselines = "".join(
        f" {item.title}: {value:.2f} {column.metric.unit}."
        for item, value in best_of_kinds(column.study)
    )
    if not best:
        return f"Bar chart of {column.title}: nothing has finished yet.{baselines}"
    unit = column.metric.unit
    worst = max(finished, key=lambda label: finished[label].score)
    return (
        f"Bar chart of the {column.metric.noun} of {len(finished)} compositions pretrained with "
        f"{column.title}. Best: {best}, {finished[best].score:.2f} {unit}; "
        f"worst: {worst}, {finished[worst].score:.2f} {unit}.{baselines}"
    )


def ablation_drawings(grid: Grid) -> list[Drawing]:
    """The paper's figure 3 with our numbers, four columns a drawing; none without objectives."""
    order = {"contrastive": 0, "relative": 1}
    columns = sorted(grid.plain, key=lambda column: order.get(column.base, 2))
    return [
        _ablation(grid, columns[start : start + _MAX_COLUMNS], start // _MAX_COLUMNS)
        for start in range(0, len(columns), _MAX_COLUMNS)
    ]


def _ablation(grid: Grid, columns: Sequence[GridColumn], position: int) -> Drawing:
    names = [f"{name.replace('_', ' ')} ({token})" for name, token in TOKENS.items()]
    run = sum(grid.cell(c, t).best is not None for c in columns for t in TOKENS.values())
    drawing, panels = new_drawing(
        (min(9.9, 1.8 + 2.6 * len(columns)), 1.3 + 1.35 * ROW_IN * len(names)),
        panels=len(columns),
        key="figure3_single" + (f"_{position + 1}" if position else ""),
        title="Figure 3: each augmentation alone" + (" (continued)" if position else ""),
        alt=f"Bar charts of mean and median error of single augmentations; {run} of "
        f"{len(columns) * len(TOKENS)} have been run.",
        caption="Mean (light) and median (full) per-joint error in cm of the linear probe after "
        "pretraining with one augmentation; lower is better; mean over seeds. Order of the "
        f"objectives as in the paper's figure 3, contrastive left. {_runs(grid, columns)}",
    )
    for column, axes in zip(columns, panels, strict=True):
        colour = series(column.position)
        _panel(axes, wrapped(column.title, 2.3), "error (cm)")
        for row, token in enumerate(TOKENS.values()):
            cell = grid.cell(column, token)
            for offset, (metric, name, alpha) in zip((-0.2, 0.2), _METRICS, strict=True):
                if summary := cell.summary(metric):
                    tip = f"{token}, {name}: {summary.mean:.2f} cm, {plural(summary.n, 'seed')}"
                    style = {"height": 0.38, "color": colour, "alpha": alpha}
                    drawing.tip(_bar(axes, row + offset, summary.mean, **style), tip)
            if cell.best is None:
                _without_number(axes, row, cell_state(column, token, cell))
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    return drawing


def _runs(grid: Grid, columns: Sequence[GridColumn]) -> str:
    """Fidelity and number of runs of every study in the figure."""
    counts: dict[tuple[str, str], int] = {}
    for column in columns:
        best = [grid.cell(column, token).best for token in TOKENS.values()]
        seeds = sum(setting.seeds for setting in best if setting)
        study = column.study.name, column.study.title
        counts[study] = counts.get(study, 0) + seeds
    return " ".join(f"{title}; {plural(n, 'run')}." for (_, title), n in counts.items())
