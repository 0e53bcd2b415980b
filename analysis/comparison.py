"""Rankings with their uncertainty, paired differences, agreement with the published ranking."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grid import RANKED_BY, Column, Grid, Setting
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
from analysis.uncertainty import Draws, Uncertainty, common_cover

_SEED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The median error of one cell minus that of another.

    Attributes:
        label: The composition.
        value_cm: Difference of the means over seeds, cm.
        interval: 95% bootstrap interval of it, None where there are no draws.
        covers: What the interval covers on both sides.
        p_poses: Wilcoxon's signed-rank test over poses, Holm-corrected.
        p_seeds: Welch's t-test over seeds, Holm-corrected.
    """

    label: str
    value_cm: float
    interval: Interval | None
    covers: str
    p_poses: float | None
    p_seeds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One composition in the ranking of its column.

    Attributes:
        label: The composition.
        setting: Its runs.
        interval: 95% interval of its median error.
        covers: What the interval covers, "" without one.
        rank: Its uncertain rank, None without draws for the whole column.
        behind: How far it is behind the best; None for the best itself.
    """

    label: str
    setting: Setting
    interval: Interval | None
    covers: str
    rank: Rank | None
    behind: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a column's ranking agrees with the published one."""

    column: Column
    spearman: Correlation
    kendall: Correlation


def _seeds(setting: Setting) -> list[float]:
    return [r.metrics[RANKED_BY] for r in setting.records if RANKED_BY in r.metrics]


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
        return welch_p(_seeds(self.first), _seeds(self.second))


def _differences(pairs: Sequence[_Pair]) -> list[Difference]:
    """Differences first minus second; the tests are corrected within the given family."""
    poses = holm([pair.p_poses for pair in pairs])
    seeds = holm([pair.p_seeds for pair in pairs])
    return [
        Difference(
            label=pair.label,
            value_cm=pair.first.score - pair.second.score,
            interval=pair.span,
            covers=common_cover(pair.draws),
            p_poses=p,
            p_seeds=q,
        )
        for pair, p, q in zip(pairs, poses, seeds, strict=True)
    ]


def rank_column(grid: Grid, uncertainty: Uncertainty, column: Column) -> list[Standing]:
    """The finished compositions of a column, best first."""
    finished = grid.finished(column)
    best = grid.best(column)
    if best is None:
        return []
    order = sorted(finished, key=lambda label: (label != best[0], finished[label].score))
    draws = {label: uncertainty.of(column, label) for label in order}
    known = [found for found in draws.values() if found is not None]
    ranks: list[Rank] | None = None
    if len(known) == len(order):
        ranks = rank_draws(np.stack([found.median_cm for found in known]))
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
    standings = []
    for position, label in enumerate(order):
        found = draws[label]
        standings.append(
            Standing(
                label=label,
                setting=finished[label],
                interval=interval(found.median_cm) if found else None,
                covers=found.covers if found else "",
                rank=ranks[position] if ranks else None,
                behind=by_label.get(label),
            )
        )
    return standings


def compare_columns(
    grid: Grid, uncertainty: Uncertainty, first: Column, second: Column
) -> list[Difference]:
    """First minus second, for every composition that both have finished."""
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


def published_scores(column: Column) -> dict[str, float]:
    """Label to published median error, cm, of a column's objective."""
    base = objective_base(column.variant)
    return {
        label: value.median_pje_cm
        for (objective, label), value in COMPOSITIONS.items()
        if objective == base
    }


def agreement(grid: Grid, column: Column) -> Agreement | None:
    """Rank correlations with the published medians; None where nothing was published."""
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
