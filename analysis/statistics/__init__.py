"""Statistics over arrays; each is tested against scipy or a hand-computed case."""

from analysis.statistics.bootstrap import (
    FloatArray,
    IntArray,
    Interval,
    PoseErrors,
    interval,
    pose_counts,
    pose_medians,
    simultaneous,
)
from analysis.statistics.correlation import Correlation, kendall, spearman, spearman_within
from analysis.statistics.importances import fanova, partial_dependence
from analysis.statistics.rankings import Rank, holm, rank_draws, signed_rank_p, welch_p
from analysis.statistics.seeds import (
    SeedDraws,
    Spread,
    Summary,
    difference_shift,
    row_spreads,
    seed_draws,
    summarise,
)
from analysis.statistics.shapley import interactions, shapley_values

__all__ = [
    "Correlation", "FloatArray", "IntArray", "Interval", "PoseErrors", "Rank", "SeedDraws",
    "Spread", "Summary", "difference_shift", "fanova", "holm", "interactions", "interval",
    "kendall", "partial_dependence", "pose_counts", "pose_medians", "rank_draws", "row_spreads",
    "seed_draws", "shapley_values", "signed_rank_p", "simultaneous", "spearman",
    "spearman_within", "summarise", "welch_p",
]  # fmt: skip
