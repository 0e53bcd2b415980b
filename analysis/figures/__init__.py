"""The figures (`bars`, `rows`, …), and `canvas`, which draws, saves and inlines them."""

from analysis.figures.bars import ablation_drawings, composition_drawings
from analysis.figures.canvas import Drawing, inline_svg, write_drawing
from analysis.figures.hypothesis import scatter_drawing
from analysis.figures.lowshot import low_shot_drawings
from analysis.figures.rows import (
    agreement_drawing,
    contribution_drawing,
    difference_drawing,
    ranking_drawing,
)
from analysis.figures.search import dependence_drawing, efficiency_drawing

__all__ = [
    "Drawing", "ablation_drawings", "agreement_drawing", "composition_drawings",
    "contribution_drawing", "dependence_drawing", "difference_drawing", "efficiency_drawing",
    "inline_svg", "low_shot_drawings", "ranking_drawing", "scatter_drawing", "write_drawing",
]  # fmt: skip
