"""Rankings with uncertainty, paired differences, agreement with the published ranking."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.grid import Grid, GridColumn, Setting
from analysis.records import ABSOLUTE
from analysis.statistics import (
    Correlation,
    Interval,
    Rank,
    holm,
    kendall,
    rank_draws,
    signed_rank_p,
    spearman,
    welch_p,
)
from analysis.uncertainty import Draws, Uncertainty, contrast, family

_SEED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The error of one cell minus that of another.

    Attributes:
        label: The composition.
        value_cm: Difference of the means over seeds, cm.
        interval: 95% interval, simultaneous over its table; None where there are no draws.
        p_poses: Wilcoxon's signed-rank test over poses, Holm-corrected.
        p_seeds: Welch's t-test over seeds, Holm-corrected.
    """

    label: str
    value_cm: float
    interval: Interval | None
    p_poses: float | None
    p_seeds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedComposition:
    """One composition in the ranking of its column.

    Attributes:
        label: The composition.
        setting: The selected setting.
        interval: 95% interval of the error.
        rank: Rank over the draws, None unless the whole column has draws.
        behind: Difference to the best; None for the best.
    """

    label: str
    setting: Setting
    interval: Interval | None
    rank: Rank | None
    behind: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Rank correlations of a column's errors with the published ones.

    Attributes:
        column: The objective.
        ours, published: Label to absolute median error, cm, of the compositions that both have.
    """

    column: GridColumn
    spearman: Correlation
    kendall: Correlation
    ours: dict[str, float]
    published: dict[str, float]


_Side = tuple[Setting, Draws | None]


_Pair = tuple[str, _Side, _Side]


def _differences(groups: Iterable[Iterable[_Pair]]) -> list[list[Difference]]:
    """First minus second of each label, group by group.

    The intervals are simultaneous over all groups; the tests are Holm-corrected over each.
    """
    pairs = [list(group) for group in groups]
    spans = iter(family(contrast([(1, a), (-1, b)]) for g in pairs for _, (_, a), (_, b) in g))
    return [_tested(group, [next(spans) for _ in group]) for group in pairs]


def _tested(pairs: Sequence[_Pair], spans: Sequence[Interval | None]) -> list[Difference]:
    poses = holm([_p_poses(a, b) for _, (_, a), (_, b) in pairs])
    seeds = holm([welch_p(a.errors_cm, b.errors_cm) for _, (a, _), (b, _) in pairs])
    return [
        Difference(
            label=label,
            value_cm=first[0].score - second[0].score,
            interval=span,
            p_poses=p,
            p_seeds=q,
        )
        for (label, first, second), span, p, q in zip(pairs, spans, poses, seeds, strict=True)
    ]


def _p_poses(a: Draws | None, b: Draws | None) -> float | None:
    if a is None or b is None or a.per_pose_cm is None or b.per_pose_cm is None:
        return None
    return signed_rank_p(a.per_pose_cm, b.per_pose_cm) if a.poses == b.poses else None


def rank_columns(
    grid: Grid, uncertainty: Uncertainty
) -> list[tuple[GridColumn, list[RankedComposition]]]:
    """The finished compositions of every column, best first; the differences are one family."""
    ordered = [(column, _ordered(grid, uncertainty, column)) for column in grid.columns]
    behind = _differences(
        [(label, side, sides[next(iter(sides))]) for label, side in [*sides.items()][1:]]
        for _, sides in ordered
    )
    return [
        (column, _ranked(sides, differences))
        for (column, sides), differences in zip(ordered, behind, strict=True)
    ]


def _ordered(grid: Grid, uncertainty: Uncertainty, column: GridColumn) -> dict[str, _Side]:
    """The finished compositions of a column: the best, then the others by their error."""
    finished, best = grid.finished(column), grid.best(column)
    first = best[0] if best else ""
    order = sorted(finished, key=lambda label: (label != first, finished[label].score))
    return {label: (finished[label], uncertainty.of(column, label)) for label in order}


def _ranked(sides: Mapping[str, _Side], behind: Sequence[Difference]) -> list[RankedComposition]:
    known = [d.median_cm for _, d in sides.values() if d is not None]
    complete = bool(known) and len(known) == len(sides)
    ranks = rank_draws(np.stack(known)) if complete else [None] * len(sides)
    return [
        RankedComposition(
            label=label,
            setting=setting,
            interval=draws.interval if draws else None,
            rank=rank,
            behind=difference,
        )
        for (label, (setting, draws)), rank, difference in zip(
            sides.items(), ranks, [None, *behind][: len(sides)], strict=True
        )
    ]


def compare_columns(
    grid: Grid, uncertainty: Uncertainty, pairs: Sequence[tuple[GridColumn, GridColumn]]
) -> list[list[Difference]]:
    """First minus second of each pair, for every composition that is finished in both.

    All of them are one family.
    """
    groups = []
    for first, second in pairs:
        a, b = grid.finished(first), grid.finished(second)
        groups.append(
            [
                (
                    label,
                    (a[label], uncertainty.of(first, label)),
                    (b[label], uncertainty.of(second, label)),
                )
                for label in a
                if label in b
            ]
        )
    return _differences(groups)


def agreement(grid: Grid, column: GridColumn) -> Agreement | None:
    """Rank correlations of absolute medians with the published; None for other objectives."""
    if not column.published:
        return None
    finished = grid.finished(column)
    absolute = {k: mean for k, s in finished.items() if (mean := s.summary(ABSOLUTE.name))}
    published = {k: v.median_pje_cm for k, v in column.published.items() if k in absolute}
    ours = {label: absolute[label].mean for label in published}
    x, y, generator = [*ours.values()], [*published.values()], np.random.default_rng(_SEED)
    return Agreement(
        column=column,
        spearman=spearman(x, y, generator),
        kendall=kendall(x, y, generator),
        ours=ours,
        published=published,
    )
