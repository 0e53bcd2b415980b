"""Rankings with intervals, differences between objectives, agreement with the paper."""

from collections.abc import Sequence
from typing import Any

from scipy import stats

from analysis.comparison import Agreement, Difference, RankedComposition, published_scores
from analysis.figures.canvas import INK, MUTED, SERIES, Drawing, new_figure, slug, wrapped
from analysis.figures.rows import ROW_IN, Row, draw_rows
from analysis.grid import Grid, GridColumn


def ranking_drawing(
    column: GridColumn, ranking: Sequence[RankedComposition], position: int
) -> Drawing | None:
    """Compositions of one objective, best first, with intervals and P(best)."""
    if not ranking:
        return None
    figure, (axes,) = new_figure(6.4, 0.9 + ROW_IN * len(ranking))
    rows = []
    for ranked in ranking:
        share = ranked.rank.best if ranked.rank else None
        rows.append(
            Row(
                label=ranked.label,
                value=ranked.setting.score,
                interval=ranked.interval,
                note=f"P(best) {share:.2f}" if share is not None and share >= 0.005 else "",
                strong=ranked.behind is None,
            )
        )
    sources = sorted({r.interval_sources for r in ranking if r.interval_sources})
    drawing = Drawing(
        key=f"ranking_{slug(column.study.name, column.variant)}",
        title=f"{column.title}: ranking with its uncertainty",
        alt=(
            f"Dot plot of {len(rows)} compositions of {column.title}, best first: "
            + ", ".join(f"{row.label} {row.value:.2f} cm" for row in rows[:3])
            + (" and others." if len(rows) > 3 else ".")
        ),
        caption=(
            "Median per-joint error (cm, lower is better), mean over seeds, with 95% intervals "
            + (f"over {' or '.join(sources)}." if sources else "where available: nowhere.")
            + " P(best): share of the bootstrap draws in which the composition is the best; "
            "omitted below 0.005."
        ),
        figure=figure,
    )
    draw_rows(drawing, axes, rows, colour=SERIES[position % len(SERIES)], unit="cm", zero=False)
    axes.set_xlabel("median PJE (cm)")
    return drawing


def difference_drawing(
    first: GridColumn, second: GridColumn, differences: Sequence[Difference]
) -> Drawing | None:
    """First minus second, composition by composition."""
    if not differences:
        return None
    figure, (axes,) = new_figure(6.4, 1.0 + ROW_IN * len(differences))
    lower = sum(difference.value_cm > 0 for difference in differences)
    drawing = Drawing(
        key=f"difference_{slug(*first.key, *second.key)}",
        title=f"{first.title} minus {second.title}",
        alt=(
            f"Dot plot of the difference in median error between {first.title} and "
            f"{second.title} for {len(differences)} compositions; {second.title} is lower in "
            f"{lower} of them."
        ),
        caption=(
            f"Difference of the median errors (cm) with 95% intervals{_over(differences)}. "
            f"Right of zero: {second.title} has the lower error; left of zero: {first.title} has. "
            "Intervals that include zero show no significant difference."
        ),
        figure=figure,
    )
    rows = [Row(label=d.label, value=d.value_cm, interval=d.interval) for d in differences]
    draw_rows(drawing, axes, rows, colour=SERIES[3], unit="cm", zero=True)
    axes.set_xlabel("difference of median PJE (cm)")
    style: Any = {"fontsize": 8.5, "color": MUTED}
    axes.set_title(wrapped(f"← lower: {first.title}", 2.6), loc="left", **style)
    axes.set_title(wrapped(f"lower: {second.title} →", 2.6), loc="right", **style)
    return drawing


def _over(differences: Sequence[Difference]) -> str:
    sources = {difference.interval_sources for difference in differences if difference.interval}
    if sources == {"poses"}:
        return " over poses only: the spread between seeds is unknown"
    return f" over {' or '.join(sorted(filter(None, sources)))}" if any(sources) else ""


def agreement_drawing(grid: Grid, item: Agreement, position: int) -> Drawing | None:
    """Our rank of every composition of one objective against the published one."""
    value = item.spearman.value
    if value is None:
        return None
    published = published_scores(item.column)
    ours = {name: best.score for name, best in grid.finished(item.column).items()}
    labels = [label for label in published if label in ours]
    figure, (axes,) = new_figure(4.6, 4.0)
    drawing = Drawing(
        key=f"agreement_{slug(*item.column.key)}",
        title=f"{item.column.title}: our ranking against the published one",
        alt=f"Scatter plot of our rank against the published rank of {len(labels)} compositions; "
        f"Spearman's rho {value:+.2f}.",
        caption=f"Spearman's ρ = {value:+.2f}. Rank 1 is the lowest median error; on the dotted "
        "line both rankings agree; below it a composition ranks better here than in the paper.",
        figure=figure,
    )
    axes.plot([0.5, len(labels) + 0.5], [0.5, len(labels) + 0.5], ":", color=MUTED, linewidth=0.9)
    x = stats.rankdata([published[label] for label in labels])
    y = stats.rankdata([ours[label] for label in labels])
    for label, a, b in zip(labels, x, y, strict=True):
        (mark,) = axes.plot(a, b, "o", color=SERIES[position % len(SERIES)], markersize=5.5)
        drawing.tip(mark, f"{label}: published rank {a:g}, ours {b:g}")
        axes.annotate(label, (a, b), (5, 3), textcoords="offset points", fontsize=7.5, color=INK)
    ticks = range(1, len(labels) + 1, 1 if len(labels) <= 8 else 2)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlabel("published rank")
    axes.set_ylabel("our rank")
    axes.margins(0.1)
    return drawing
