"""What each augmentation contributes to a column, ours and published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.comparison import published_scores
from analysis.grid import Column, Grid
from analysis.notation import composition_tokens, full_factorial, is_subset
from analysis.statistics import Interval, interactions, interval, shapley_values
from analysis.uncertainty import Uncertainty, common_cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A Shapley value or an interaction, cm; negative lowers the error.

    Attributes:
        name: The augmentation, or the pair as ``"T × S"``.
        value_cm: From the means over seeds.
        interval: 95% bootstrap interval, None without draws for every composition.
        published_cm: The same from table 5, None where the objective is not the study's.
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
        shapley: One share per augmentation.
        pairs: One share per pair of augmentations.
        covers: What the intervals cover in every composition.
    """

    column: Column
    players: tuple[str, ...]
    shapley: tuple[Share, ...]
    pairs: tuple[Share, ...]
    covers: str


def _game(scores: Mapping[str, Any], players: tuple[str, ...]) -> dict[frozenset[str], Any]:
    subsets = {label: value for label, value in scores.items() if is_subset(label)}
    game = {frozenset(composition_tokens(label)): value for label, value in subsets.items()}
    return {coalition: value for coalition, value in game.items() if coalition <= set(players)}


def contribution(grid: Grid, uncertainty: Uncertainty, column: Column) -> Contribution | None:
    """Exact Shapley values and interactions, or None where the factorial is incomplete."""
    finished = grid.finished(column)
    players = full_factorial(finished)
    if players is None:
        return None
    ours = _game({label: best.score for label, best in finished.items()}, players)
    found = {label: uncertainty.of(column, label) for label in finished}
    draws = _game({label: d.median_cm for label, d in found.items() if d is not None}, players)
    complete = len(draws) == len(ours)
    printed = _game(published_scores(column), players)
    has_published = len(printed) == len(ours)

    def shares(compute: Any) -> tuple[Share, ...]:
        values = compute(players, ours)
        drawn = compute(players, draws) if complete else {}
        theirs = compute(players, printed) if has_published else {}
        return tuple(
            Share(
                name=key if isinstance(key, str) else " × ".join(key),
                value_cm=float(value),
                interval=interval(drawn[key]) if key in drawn else None,
                published_cm=float(theirs[key]) if key in theirs else None,
            )
            for key, value in values.items()
        )

    return Contribution(
        column=column,
        players=players,
        shapley=shares(shapley_values),
        pairs=shares(interactions),
        covers=common_cover(own for label, own in found.items() if is_subset(label)),
    )
