"""Diagnostics of the features against the probe's error."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.canvas import INK, SERIES, Drawing, new_figure
from analysis.hypothesis import Point
from analysis.notation import objective_title, sort_variants

_MOST = 400
_MARKS = "osD^vP"


def scatter_drawing(clouds: Mapping[str, Sequence[Point]], position: int = 0) -> Drawing | None:
    """One panel a diagnostic; objectives differ by colour and mark.

    Args:
        clouds: Diagnostic to configurations of one data set and fidelity.
        position: Which of several such figures it is.
    """
    clouds = {name: points for name, points in clouds.items() if points}
    if not clouds:
        return None
    figure, panels = new_figure(3.4 * len(clouds) + 0.3, 4.0, len(clouds), sharey=True)
    variants = sort_variants({p.title for points in clouds.values() for p in points})
    total = max(len(points) for points in clouds.values())
    drawing = Drawing(
        key="diagnostics" + (f"_{position + 1}" if position else ""),
        title="Equivariance and invariance of the features against the error",
        alt=f"Scatter plots of {' and '.join(clouds)} against the median error of {total} "
        f"configurations of "
        f"{', '.join(map(objective_title, variants))}.",
        caption="One mark a configuration, mean over seeds. Equivariance: held-out R² of "
        "predicting the relative transformation from both views' features, below 0 counted as 0; "
        "invariance: cosine similarity of the features of two views; both are means over the "
        "geometric augmentations."
        + (f" A random {_MOST} of {total} are drawn." if total > _MOST else ""),
        figure=figure,
    )
    generator = np.random.default_rng(0)
    for axes, (name, points) in zip(panels, clouds.items(), strict=True):
        shown = list(points)
        if len(shown) > _MOST:
            chosen = generator.choice(len(shown), _MOST, replace=False)
            shown = [shown[index] for index in sorted(chosen)]
        for point in shown:
            style = variants.index(point.title)
            (mark,) = axes.plot(
                point.x, point.error_cm, _MARKS[style % len(_MARKS)],
                color=SERIES[style % len(SERIES)], markersize=5.5, alpha=0.75,
            )  # fmt: skip
            drawing.tip(
                mark,
                f"{objective_title(point.title)}, {point.setting.first.label}: "
                f"{name} {point.x:.2f}, {point.error_cm:.2f} cm",
            )
        axes.set_xlabel(name)
        axes.locator_params(axis="x", nbins=5)
    panels[0].set_ylabel("median PJE (cm)")
    for style, variant in enumerate(variants):
        panels[0].plot(
            [], [], _MARKS[style % len(_MARKS)], color=SERIES[style % len(SERIES)],
            label=objective_title(variant),
        )  # fmt: skip
    figure.legend(loc="outside upper left", ncols=2, fontsize=8.5, frameon=False, labelcolor=INK)
    return drawing
