"""Values with intervals, one a row: rankings, differences, contributions; and rank on rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from scipy import stats

from analysis.comparison import Agreement, Difference, RankedComposition
from analysis.contribution import Contribution
from analysis.figures.canvas import (
    GRID,
    INK,
    MUTED,
    ROW_IN,
    SERIES,
    Drawing,
    new_drawing,
    series,
    slug,
    wrapped,
)
from analysis.grid import GridColumn
from analysis.statistics import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
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


def _draw(
    drawing: Drawing, axes: Axes, rows: Sequence[_Row], *, colour: str, unit: str, zero: bool
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
            style: Any = {"va": "center", "color": MUTED, "fontsize": 8}
            axes.annotate(row.note, (x, position), (5, 0), textcoords="offset points", **style)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.12)


def ranking_drawing(column: GridColumn, ranking: Sequence[RankedComposition]) -> Drawing | None:
    """Compositions of one objective, best first, with intervals and P(best)."""
    if not ranking:
        return None
    metric = column.metric
    best = [ranked.rank.best if ranked.rank else 0.0 for ranked in ranking]
    rows = [
        _Row(
            label=ranked.label,
            value=ranked.setting.score,
            interval=ranked.interval,
            note=f"P(best) {share:.2f}" if share >= 0.005 else "",
            strong=ranked.behind is None,
        )
        for ranked, share in zip(ranking, best, strict=True)
    ]
    over = " or ".join(sorted({r.interval.sources for r in ranking if r.interval}))
    drawing, (axes,) = new_drawing(
        (6.4, 0.9 + ROW_IN * len(ranking)),
        key=f"ranking_{slug(*column.key)}",
        title=f"{column.title}: ranking with its uncertainty",
        alt=f"Dot plot of {len(rows)} compositions of {column.title}, best first: "
        + ", ".join(f"{row.label} {row.value:.2f} {metric.unit}" for row in rows[:3])
        + (" and others." if len(rows) > 3 else "."),
        caption=f"{metric.heading} ({metric.unit}, lower is better), mean over seeds, with 95% "
        f"intervals {f'over {over}' if over else 'where available: nowhere'}."
        " P(best): share of the bootstrap draws in which the composition is the best; "
        "omitted below 0.005.",
    )
    _draw(drawing, axes, rows, colour=series(column.position), unit=metric.unit, zero=False)
    axes.set_xlabel(metric.axis)
    return drawing


def difference_drawing(
    first: GridColumn, second: GridColumn, differences: Sequence[Difference]
) -> Drawing | None:
    """First minus second, composition by composition."""
    if not differences:
        return None
    metric = first.metric
    lower = sum(difference.value_cm > 0 for difference in differences)
    drawing, (axes,) = new_drawing(
        (6.4, 1.0 + ROW_IN * len(differences)),
        key=f"difference_{slug(*first.key, *second.key)}",
        title=f"{first.title} minus {second.title}",
        alt=f"Dot plot of the difference in {metric.noun} between {first.title} and "
        f"{second.title} for {len(differences)} compositions; {second.title} is lower in "
        f"{lower} of them.",
        caption=f"Difference of the {metric.noun}s ({metric.unit}) with 95% intervals"
        f"{_over(differences)}. Right of zero: {second.title} has the lower error; left of "
        f"zero: {first.title} has. "
        "Intervals that include zero show no significant difference.",
    )
    rows = [_Row(label=d.label, value=d.value_cm, interval=d.interval) for d in differences]
    _draw(drawing, axes, rows, colour=SERIES[3], unit=metric.unit, zero=True)
    axes.set_xlabel(f"difference of {metric.axis}")
    style: Any = {"fontsize": 8.5, "color": MUTED}
    axes.set_title(wrapped(f"← lower: {first.title}", 2.6), loc="left", **style)
    axes.set_title(wrapped(f"lower: {second.title} →", 2.6), loc="right", **style)
    return drawing


def _over(differences: Sequence[Difference]) -> str:
    sources = {difference.interval.sources for difference in differences if difference.interval}
    if sources == {"poses"}:
        return " over poses only: the spread between seeds is unknown"
    return f" over {' or '.join(sorted(filter(None, sources)))}" if any(sources) else ""


def contribution_drawing(contribution: Contribution) -> Drawing:
    """Shapley values and interactions of one objective, ours beside the published."""
    column, pairs = contribution.column, contribution.pairs
    metric = column.metric
    effects = [*contribution.shapley, *pairs]
    published = all(effect.published_cm is not None for effect in effects)
    lowest = min(contribution.shapley, key=lambda effect: effect.value_cm)
    interactions = "; A × B: interaction of a pair, beyond the sum of its single effects"
    drawing, panels = new_drawing(
        (6.4, 1.0 + ROW_IN * len(effects)),
        panels=2 if published else 1,
        key=f"shapley_{slug(*column.key)}",
        title=f"{column.title}: contribution of each augmentation",
        alt=f"Dot plot of the Shapley values of {len(contribution.players)} augmentations and "
        f"their {len(pairs)} interactions. Lowest: {lowest.name}, "
        f"{lowest.value_cm:+.2f} {metric.unit} from the mean.",
        caption=f"Shapley value of each augmentation, centred{interactions if pairs else ''}. "
        f"Left of zero: lower {metric.noun}. Lines: 95% intervals."
        + (" Right: the same from the paper's table 5, on a separate axis." if published else ""),
    )
    ours = [_Row(label=e.name, value=e.value_cm, interval=e.interval) for e in effects]
    theirs = [_Row(label=e.name, value=e.published_cm) for e in effects]
    _draw(drawing, panels[0], ours, colour=series(column.position), unit=metric.unit, zero=True)
    panels[0].set_title("Ours")
    if published:
        _draw(drawing, panels[1], theirs, colour=INK, unit="cm (published)", zero=True)
        panels[1].set_title("Published (table 5)")
    for axes in panels:
        axes.set_xlabel(f"{metric.unit} of {metric.short}")
    return drawing


def agreement_drawing(item: Agreement) -> Drawing | None:
    """Our rank of every composition of one objective against the published one."""
    value, column, labels = item.spearman.value, item.column, list(item.ours)
    if value is None:
        return None
    drawing, (axes,) = new_drawing(
        (4.6, 4.0),
        key=f"agreement_{slug(*column.key)}",
        title=f"{column.title}: our ranking against the published one",
        alt=f"Scatter plot of our rank against the published rank of {len(labels)} compositions; "
        f"Spearman's rho {value:+.2f}.",
        caption=f"Spearman's ρ = {value:+.2f}. Rank 1 is the lowest absolute median error; on the "
        "dotted line both rankings agree; below it a composition ranks better here than in "
        "the paper.",
    )
    axes.plot([0.5, len(labels) + 0.5], [0.5, len(labels) + 0.5], ":", color=MUTED, linewidth=0.9)
    ranks = (stats.rankdata([*errors.values()]) for errors in (item.published, item.ours))
    for label, a, b in zip(labels, *ranks, strict=True):
        (mark,) = axes.plot(a, b, "o", color=series(column.position), markersize=5.5)
        drawing.tip(mark, f"{label}: published rank {a:g}, ours {b:g}")
        axes.annotate(label, (a, b), (5, 3), textcoords="offset points", fontsize=7.5, color=INK)
    ticks = range(1, len(labels) + 1, 1 if len(labels) <= 8 else 2)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlabel("published rank")
    axes.set_ylabel("our rank")
    axes.margins(0.1)
    return drawing
