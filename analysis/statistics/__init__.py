"""Statistics over arrays; each is tested against scipy or a hand-computed case."""

from analysis.statistics.bootstrap import (
    FloatArray,
    IntArray,
    Interval,
    PoseErrors,
    interval,
    pose_counts,
    pose_medians,
)
from analysis.statistics.correlation import Correlation, kendall, spearman, spearman_within
from analysis.statistics.importances import fanova, partial_dependence
from analysis.statistics.rankings import Rank, holm, rank_draws, signed_rank_p, welch_p
from analysis.statistics.seeds import Spread, Summary, pooled_spread, summarise
from analysis.statistics.shapley import interactions, shapley_values

__all__ = [
    "Correlation", "FloatArray", "IntArray", "Interval", "PoseErrors", "Rank", "Spread", "Summary",
    "fanova", "holm", "interactions", "interval", "kendall", "partial_dependence", "pooled_spread",
    "pose_counts", "pose_medians", "rank_draws", "shapley_values", "signed_rank_p", "spearman",
    "spearman_within", "summarise", "welch_p",
]  # fmt: skip
