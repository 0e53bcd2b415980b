"""Error against the share of the labels, one line a row.

The colour is that of the pretraining, black for random weights; lines of frozen encoders are
dashed.
"""

import re
from itertools import groupby
from typing import Any

from analysis.figures.canvas import INK, MARKS, Drawing, new_drawing, series, slug
from analysis.lowshot import LabelCurve, LowShot

_MODE = re.compile(r" \((?:un)?frozen[^()]*\)$")


def low_shot_drawings(results: LowShot) -> list[Drawing]:
    """One for each encoder and pair of data sets."""
    groups = groupby(results.curves, key=lambda curve: (curve.study.name, curve.key))
    return [_drawing(list(curves)) for _, curves in groups]


def _drawing(curves: list[LabelCurve]) -> Drawing:
    key, study, metric = curves[0].key, curves[0].study, curves[0].metric
    drawing, (axes,) = new_drawing(
        (6.8, 4.6),
        key=f"lowshot_{slug(study.name, key.encoder, key.fit, key.evaluate)}",
        title=f"Few labels: {key.encoder}, fitted to {key.fit}, evaluated on {key.evaluate}",
        alt=f"Line chart of the {metric.noun} over the share of the labels; "
        + "; ".join(
            f"{curve.model}: "
            + ", ".join(
                f"{p.setting.score:.2f} {metric.unit} at {p.fraction:.0%}" for p in curve.points
            )
            for curve in curves
        ),
        caption=f"{metric.heading} ({metric.unit}), mean over seeds, against the share of the "
        f"labels of {key.fit} in the fit; bars: 95% interval over validation poses and, where "
        "rows were "
        f"repeated, seeds. {study.summary}",
    )
    pretrained = [_MODE.sub("", curve.model) for curve in curves if not curve.from_random]
    styles = {name: style for style, name in enumerate(dict.fromkeys(pretrained))}
    for position, curve in enumerate(curves):
        style = -1 if curve.from_random else styles[_MODE.sub("", curve.model)]
        colour = INK if style < 0 else series(style)
        nudge = 1.04 ** (position - (len(curves) - 1) / 2)  # keeps the bars side by side
        x = [point.fraction * nudge for point in curve.points]
        y = [point.setting.score for point in curve.points]
        dashes, mark = "--" if curve.frozen else "-", MARKS[style % len(MARKS)]
        look: Any = {"linewidth": 1.5, "marker": mark, "markersize": 4.5, "label": curve.model}
        axes.plot(x, y, dashes, color=colour, **look)
        for at, value, point in zip(x, y, curve.points, strict=True):
            text = f"{curve.model}, {point.fraction:.0%} of the labels: {value:.2f} {metric.unit}"
            if point.interval is not None:
                low, high = point.interval.low, point.interval.high
                axes.vlines(at, low, high, color=colour, linewidth=1.2)
                text += f", 95% interval {low:.2f} to {high:.2f}"
            (dot,) = axes.plot(at, value, "o", color=colour, markersize=2)
            drawing.tip(dot, text)
    fractions = sorted({point.fraction for curve in curves for point in curve.points})
    axes.set_xscale("log")
    axes.set_xticks(fractions, [f"{fraction:.0%}" for fraction in fractions])
    axes.minorticks_off()
    axes.set_xlabel("share of the labels")
    axes.set_ylabel(metric.axis)
    legend: Any = {"fontsize": 8, "frameon": False, "labelcolor": INK, "handlelength": 3.2}
    drawing.figure.legend(loc="outside lower center", ncols=2, **legend)
    return drawing
