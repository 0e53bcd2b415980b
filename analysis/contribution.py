"""Contribution of each augmentation to the error of a column, ours and published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.grid import Grid, GridColumn
from analysis.notation import composition_tokens, full_factorial, is_subset
from analysis.records import ABSOLUTE
from analysis.statistics import Interval, interactions, shapley_values
from analysis.uncertainty import Contrast, Uncertainty, common_sources, family


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A Shapley value or an interaction, cm; negative lowers the error.

    Attributes:
        name: The augmentation, or the pair as `"T × S"`.
        value_cm: Computed from the means over seeds.
        interval: 95% interval, simultaneous over the effects of the column; None without draws
            for every composition.
        published_cm: The same from the paper's table 5; None for an unpublished objective, and
            where another metric than the absolute median ranks.
    """

    name: str
    value_cm: float
    interval: Interval | None
    published_cm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """The decomposition of one column.

    Attributes:
        column: The objective.
        players: The augmentations whose full factorial has finished.
        shapley: One effect per augmentation.
        pairs: One effect per pair of augmentations.
    """

    column: GridColumn
    players: tuple[str, ...]
    shapley: tuple[Effect, ...]
    pairs: tuple[Effect, ...]


def _game(scores: Mapping[str, Any], players: tuple[str, ...]) -> dict[frozenset[str], Any]:
    subsets = {label: value for label, value in scores.items() if is_subset(label)}
    game = {frozenset(composition_tokens(label)): value for label, value in subsets.items()}
    return {coalition: value for coalition, value in game.items() if coalition <= set(players)}


def contribution(grid: Grid, uncertainty: Uncertainty, column: GridColumn) -> Contribution | None:
    """Exact Shapley values and interactions, or None where the factorial is incomplete."""
    finished = grid.finished(column)
    players = full_factorial(finished)
    if players is None:
        return None
    ours = _game({label: best.score for label, best in finished.items()}, players)
    estimates = {label: uncertainty.of(column, label) for label in finished if is_subset(label)}
    draws = _game({label: d.median_cm for label, d in estimates.items() if d}, players)
    sources = common_sources(estimates.values())
    absolute = column.published if column.metric == ABSOLUTE else {}
    printed = _game({k: v.median_pje_cm for k, v in absolute.items()}, players)

    def effects(compute: Any) -> tuple[Effect, ...]:
        values = compute(players, ours)
        drawn = compute(players, draws) if len(draws) == len(ours) else {}
        contrasts = (Contrast(draws_cm=value, sources=sources) for value in drawn.values())
        spans = dict(zip(drawn, family(contrasts), strict=True))
        theirs = compute(players, printed) if len(printed) == len(ours) else {}
        return tuple(
            Effect(
                name=key if isinstance(key, str) else " × ".join(key),
                value_cm=float(value),
                interval=spans.get(key),
                published_cm=float(theirs[key]) if key in theirs else None,
            )
            for key, value in values.items()
        )

    return Contribution(
        column=column,
        players=players,
        shapley=effects(shapley_values),
        pairs=effects(interactions),
    )
