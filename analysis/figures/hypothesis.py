"""Diagnostics of the features against the error of the probe."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.canvas import INK, MARKS, Drawing, new_drawing, series
from analysis.hypothesis import DiagnosedSetting
from analysis.notation import objective_title, sort_variants

_MAX_MARKS = 400


def scatter_drawing(
    clouds: Mapping[str, Sequence[DiagnosedSetting]], position: int = 0
) -> Drawing | None:
    """One panel a diagnostic; objectives differ by colour and mark.

    Args:
        clouds: Diagnostic to configurations of one data set and fidelity.
        position: Index among such figures of the report.
    """
    clouds = {name: points for name, points in clouds.items() if points}
    if not clouds:
        return None
    metric = next(iter(clouds.values()))[0].setting.metric
    variants = sort_variants({p.title for points in clouds.values() for p in points})
    total = max(len(points) for points in clouds.values())
    drawing, panels = new_drawing(
        (3.4 * len(clouds) + 0.3, 4.0),
        panels=len(clouds),
        key="diagnostics" + (f"_{position + 1}" if position else ""),
        title="Equivariance and invariance of the features against the error",
        alt=f"Scatter plots of {' and '.join(clouds)} against the {metric.noun} of {total} "
        f"configurations of {', '.join(map(objective_title, variants))}.",
        caption="One mark for each configuration, mean over seeds. Equivariance: held-out R² of "
        "predicting the relative transformation from the features of both views, below 0 counted "
        "as 0; invariance: cosine similarity of the features of two views; both are means over "
        "the geometric augmentations."
        + (f" A random {_MAX_MARKS} of {total} are drawn." if total > _MAX_MARKS else ""),
    )
    generator = np.random.default_rng(0)
    shapes = {name: (MARKS[i % len(MARKS)], series(i)) for i, name in enumerate(variants)}
    for axes, (name, points) in zip(panels, clouds.items(), strict=True):
        drawn = list(points)
        if len(drawn) > _MAX_MARKS:
            chosen = generator.choice(len(drawn), _MAX_MARKS, replace=False)
            drawn = [drawn[index] for index in sorted(chosen)]
        for point in drawn:
            shape, colour = shapes[point.title]
            (mark,) = axes.plot(
                point.x, point.error_cm, shape, color=colour, markersize=5.5, alpha=0.75
            )
            drawing.tip(
                mark,
                f"{objective_title(point.title)}, {point.setting.first.label}: "
                f"{name} {point.x:.2f}, {point.error_cm:.2f} {metric.unit}",
            )
        axes.set_xlabel(name)
        axes.locator_params(axis="x", nbins=5)
    panels[0].set_ylabel(metric.axis)
    for variant, (shape, colour) in shapes.items():
        panels[0].plot([], [], shape, color=colour, label=objective_title(variant))
    drawing.figure.legend(
        loc="outside upper left", ncols=2, fontsize=8.5, frameon=False, labelcolor=INK
    )
    return drawing
