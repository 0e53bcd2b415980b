"""Best error so far against encoder steps, and partial dependence of the searched numbers."""

from collections.abc import Sequence
from typing import Any

from analysis.efficiency import Efficiency
from analysis.figures.canvas import GRID, INK, MUTED, Drawing, new_drawing, series, slug
from analysis.sampling import Sampling

_PANELS = 3
_STYLES = ("-", "--", "-.", ":")


def efficiency_drawing(searches: Sequence[Efficiency], position: int = 0) -> Drawing | None:
    """Lowest error so far against encoder steps, one line for every study.

    Args:
        searches: Studies of one data set and fidelity.
        position: Index among such figures of the report.
    """
    searches = [s for s in searches if any(best is not None for best in s.best_cm)]
    if not searches:
        return None
    metric = searches[0].study.metric
    drawing, (axes,) = new_drawing(
        (6.4, 3.6),
        key="efficiency" + (f"_{position + 1}" if position else ""),
        title="Best so far against encoder steps",
        alt=f"Line chart of the best {metric.noun} so far; "
        + "; ".join(
            f"{p.study.name} ({p.sampler}) ends at {p.best_cm[-1]:.2f} {metric.unit}"
            for p in searches
        ),
        caption=f"Lowest {metric.noun} ({metric.unit}) of the trials finished so far, against "
        "encoder "
        "steps summed over all trials, including pruned and failed ones. A dot marks every "
        "improvement.",
    )
    for line, item in enumerate(searches):
        colour = series(line)
        points = zip(item.steps, item.best_cm, item.names, (None, *item.best_cm), strict=False)
        improvements = [
            (done, best, name)
            for done, best, name, before in points
            if best is not None and best != before
        ]
        x = [done for done, _, _ in improvements] + [item.steps[-1]]
        y = [best for _, best, _ in improvements]
        style, label = _STYLES[line % len(_STYLES)], f"{item.study.name} ({item.sampler})"
        axes.step(x, [*y, y[-1]], style, where="post", color=colour, linewidth=1.6, label=label)
        for done, best, name in improvements:
            (mark,) = axes.plot(done, best, "o", color=colour, markersize=4.5)
            drawing.tip(
                mark,
                f"{item.study.name}: {best:.2f} {metric.unit} after {done:,.0f} steps, {name}",
            )
    axes.set_xlabel("encoder steps")
    axes.set_ylabel(f"best so far: {metric.axis}")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize=8.5, frameon=False, labelcolor=INK)
    return drawing


def dependence_drawing(sampling: Sampling) -> Drawing | None:
    """Partial dependence of the error on the most important numbers."""
    curves = sampling.curves[:_PANELS]
    if not curves:
        return None
    metric = sampling.study.metric
    drawing, panels = new_drawing(
        (0.6 + 2.6 * len(curves), 3.0),
        panels=len(curves),
        key=f"dependence_{slug(sampling.study.name)}",
        title=f"{sampling.study.name}: dependence of the error on each number",
        alt="; ".join(
            f"{c.parameter.name}: lowest predicted error {c.mean_cm.min():.2f} {metric.unit} at "
            f"{c.x[c.mean_cm.argmin()]:.3g}"
            for c in curves
        ),
        caption=f"Partial dependence: predicted {metric.noun} with all other parameters as in the "
        "trials; band: 10th to 90th percentile of the forest's trees; ticks below: values of the "
        f"trials. The {len(curves)} most important numbers.",
    )
    for position, (curve, axes) in enumerate(zip(curves, panels, strict=True)):
        colour = series(position)
        axes.fill_between(curve.x, curve.low_cm, curve.high_cm, color=colour, alpha=0.18, lw=0)
        axes.plot(curve.x, curve.mean_cm, color=colour, linewidth=1.8)
        tried = curve.parameter.values[:: max(1, len(curve.parameter.values) // 150)]
        ticks: Any = {"color": MUTED, "markersize": 5, "alpha": 0.6}
        below = axes.get_xaxis_transform()
        axes.plot(tried, [0.015] * len(tried), "|", transform=below, **ticks)
        if curve.parameter.log:
            axes.set_xscale("log")
        axes.set_xlabel(curve.parameter.name, fontsize=8.5)
        axes.grid(color=GRID)
    panels[0].set_ylabel(metric.axis)
    return drawing
