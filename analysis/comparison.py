"""Rankings with uncertainty, paired differences, agreement with the published ranking."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grid import Grid, GridColumn, Setting
from analysis.notation import objective_base
from analysis.published import COMPOSITIONS
from analysis.statistics import (
    Correlation,
    Interval,
    Rank,
    holm,
    interval,
    kendall,
    rank_draws,
    signed_rank_p,
    spearman,
    welch_p,
)
from analysis.uncertainty import Draws, Uncertainty, common_sources

_SEED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The median error of one cell minus that of another.

    Attributes:
        label: The composition.
        value_cm: Difference of the means over seeds, cm.
        interval: 95% bootstrap interval, None where there are no draws.
        interval_sources: Sources of variation that both sides share.
        p_poses: Wilcoxon's signed-rank test over poses, Holm-corrected.
        p_seeds: Welch's t-test over seeds, Holm-corrected.
    """

    label: str
    value_cm: float
    interval: Interval | None
    interval_sources: str
    p_poses: float | None
    p_seeds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedComposition:
    """One composition in the ranking of its column.

    Attributes:
        label: The composition.
        setting: The selected setting.
        interval: 95% interval of the median error.
        interval_sources: Sources of variation in the interval, "" without one.
        rank: Rank over the draws, None unless the whole column has draws.
        behind: Difference to the best; None for the best.
    """

    label: str
    setting: Setting
    interval: Interval | None
    interval_sources: str
    rank: Rank | None
    behind: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Rank correlations of a column's errors with the published ones."""

    column: GridColumn
    spearman: Correlation
    kendall: Correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two cells to compare, with their draws."""

    label: str
    first: Setting
    second: Setting
    draws: tuple[Draws | None, Draws | None]

    @property
    def span(self) -> Interval | None:
        a, b = self.draws
        return interval(a.median_cm - b.median_cm) if a and b else None

    @property
    def p_poses(self) -> float | None:
        a, b = self.draws
        if a is None or b is None or a.per_pose_cm is None or b.per_pose_cm is None:
            return None
        return signed_rank_p(a.per_pose_cm, b.per_pose_cm) if a.poses == b.poses else None

    @property
    def p_seeds(self) -> float | None:
        return welch_p(self.first.errors_cm, self.second.errors_cm)


def _differences(pairs: Sequence[_Pair]) -> list[Difference]:
    """First minus second; the tests are Holm-corrected over the pairs."""
    poses = holm([pair.p_poses for pair in pairs])
    seeds = holm([pair.p_seeds for pair in pairs])
    return [
        Difference(
            label=pair.label,
            value_cm=pair.first.score - pair.second.score,
            interval=pair.span,
            interval_sources=common_sources(pair.draws),
            p_poses=p,
            p_seeds=q,
        )
        for pair, p, q in zip(pairs, poses, seeds, strict=True)
    ]


def rank_column(
    grid: Grid, uncertainty: Uncertainty, column: GridColumn
) -> list[RankedComposition]:
    """The finished compositions of a column, best first."""
    finished = grid.finished(column)
    best = grid.best(column)
    if best is None:
        return []
    order = sorted(finished, key=lambda label: (label != best[0], finished[label].score))
    draws = {label: uncertainty.of(column, label) for label in order}
    known = [d.median_cm for d in draws.values() if d is not None]
    ranks = rank_draws(np.stack(known)) if len(known) == len(order) else None
    behind = _differences(
        [
            _Pair(
                label=label,
                first=finished[label],
                second=best[1],
                draws=(draws[label], draws[best[0]]),
            )
            for label in order
            if label != best[0]
        ]
    )
    by_label = {difference.label: difference for difference in behind}
    return [
        RankedComposition(
            label=label,
            setting=finished[label],
            interval=interval(d.median_cm) if (d := draws[label]) else None,
            interval_sources=d.interval_sources if d else "",
            rank=ranks[position] if ranks else None,
            behind=by_label.get(label),
        )
        for position, label in enumerate(order)
    ]


def compare_columns(
    grid: Grid, uncertainty: Uncertainty, first: GridColumn, second: GridColumn
) -> list[Difference]:
    """First minus second, for every composition that is finished in both."""
    a, b = grid.finished(first), grid.finished(second)
    return _differences(
        [
            _Pair(
                label=label,
                first=a[label],
                second=b[label],
                draws=(uncertainty.of(first, label), uncertainty.of(second, label)),
            )
            for label in grid.compositions
            if label in a and label in b
        ]
    )


def published_scores(column: GridColumn) -> dict[str, float]:
    """Published median error of every composition of a column's objective, cm."""
    base = objective_base(column.variant)
    return {
        label: value.median_pje_cm
        for (objective, label), value in COMPOSITIONS.items()
        if objective == base
    }


def agreement(grid: Grid, column: GridColumn) -> Agreement | None:
    """Rank correlations with the published medians; None for an unpublished objective."""
    published = published_scores(column)
    if not published:
        return None
    ours = {label: best.score for label, best in grid.finished(column).items()}
    labels = [label for label in published if label in ours]
    x, y = [ours[label] for label in labels], [published[label] for label in labels]
    generator = np.random.default_rng(_SEED)
    return Agreement(
        column=column, spearman=spearman(x, y, generator), kendall=kendall(x, y, generator)
    )
