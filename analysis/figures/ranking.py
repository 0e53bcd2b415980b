"""Rankings with intervals, differences between objectives, and agreement with the published."""

from collections.abc import Sequence

from scipy import stats

from analysis.comparison import Agreement, Difference, Standing, published_scores
from analysis.figures.canvas import INK, MUTED, SERIES, Drawing, new_figure, slug, wrapped
from analysis.figures.rows import ROW_IN, Row, draw_rows
from analysis.grid import Column, Grid


def ranking_drawing(
    column: Column, standings: Sequence[Standing], position: int
) -> Drawing | None:
    """Compositions of one objective, best first, with intervals and P(best)."""
    if not standings:
        return None
    figure, (axes,) = new_figure(6.4, 0.9 + ROW_IN * len(standings))
    rows = []
    for standing in standings:
        share = standing.rank.best if standing.rank else None
        note = f"P(best) {share:.2f}" if share is not None and share >= 0.005 else ""
        rows.append(
            Row(
                label=standing.label, value=standing.setting.score, interval=standing.interval,
                note=note, strong=standing.behind is None,
            )
        )  # fmt: skip
    covers = sorted({standing.covers for standing in standings if standing.covers})
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
            + (f"over {' or '.join(covers)}." if covers else "where they can be known: nowhere.")
            + " P(best): share of the bootstrap draws in which the composition is the best; not "
            "written where it is below 0.005."
        ),
        figure=figure,
    )
    draw_rows(drawing, axes, rows, colour=SERIES[position % len(SERIES)], unit="cm", zero=False)
    axes.set_xlabel("median PJE (cm)")
    return drawing


def difference_drawing(
    first: Column, second: Column, differences: Sequence[Difference]
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
            "Intervals that cross zero decide nothing."
        ),
        figure=figure,
    )
    rows = [Row(label=d.label, value=d.value_cm, interval=d.interval) for d in differences]
    draw_rows(drawing, axes, rows, colour=SERIES[3], unit="cm", zero=True)
    axes.set_xlabel("difference of median PJE (cm)")
    left, right = f"← lower: {first.title}", f"lower: {second.title} →"
    axes.set_title(wrapped(left, 2.6), loc="left", fontsize=8.5, color=MUTED)
    axes.set_title(wrapped(right, 2.6), loc="right", fontsize=8.5, color=MUTED)
    return drawing


def _over(differences: Sequence[Difference]) -> str:
    covers = {difference.covers for difference in differences if difference.interval}
    if covers == {"poses"}:
        return " over poses alone: how seeds differ is not known"
    return f" over {' or '.join(sorted(filter(None, covers)))}" if any(covers) else ""


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
        "line both rankings agree; below it a composition does better here than published.",
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
