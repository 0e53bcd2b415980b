"""Contribution of each augmentation: Shapley values and interactions of a full factorial.

The game is v(S) = error of the composition S. The empty composition is not run. Its value adds the
same -v(∅)/n to every Shapley value, so differences between augmentations do not depend on it.
Without v(∅) the values are centred (their sum is zero), and interactions use non-empty contexts.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

Game = Mapping[frozenset[str], Any]
"""Coalition to its value: a number or an array of bootstrap draws."""


def _contexts(players: Sequence[str], left_out: Sequence[str]) -> Iterator[frozenset[str]]:
    rest = [player for player in players if player not in left_out]
    for size in range(len(rest) + 1):
        yield from map(frozenset, combinations(rest, size))


def shapley_values(players: Sequence[str], game: Game) -> dict[str, Any]:
    """φ_i = Σ_S |S|! (n - |S| - 1)! / n! · (v(S ∪ i) - v(S)) over S without i.

    Args:
        players: The n players.
        game: Value of every non-empty coalition; the empty one may be left out.

    Returns:
        Player to value; they sum to v(all) - v(∅), or to 0 where v(∅) is unknown.

    Example:
        >>> game = {frozenset("T"): 3.0, frozenset("S"): 5.0, frozenset("TS"): 2.0}
        >>> shapley_values(["T", "S"], game)
        {'T': -1.0, 'S': 1.0}
    """
    n = len(players)
    empty = game.get(frozenset(), game[frozenset(players)])
    values = {}
    for player in players:
        total: Any = 0.0
        for context in _contexts(players, [player]):
            weight = 1 / (n * comb(n - 1, len(context)))
            total = total + weight * (
                game[context | {player}] - (game[context] if context else empty)
            )
        values[player] = total
    return values


def interactions(players: Sequence[str], game: Game) -> dict[tuple[str, str], Any]:
    """Shapley interaction index: the weighted mean of v(S∪ij) - v(S∪i) - v(S∪j) + v(S).

    Weights |S|! (n - |S| - 2)! / (n - 1)! (Grabisch and Roubens 1999). Without v(∅) the empty
    context is left out and the other weights are scaled to sum to one.

    Returns:
        Pair to index: negative where both together lower the error by more than each alone.
    """
    n = len(players)
    values = {}
    for first, second in combinations(players, 2):
        total: Any = 0.0
        weights = 0.0
        for context in _contexts(players, [first, second]):
            if not context and frozenset() not in game:
                continue
            weight = 1 / ((n - 1) * comb(n - 2, len(context)))
            weights += weight
            both, one, other = context | {first, second}, context | {first}, context | {second}
            total = total + weight * (game[both] - game[one] - game[other] + game[context])
        if weights:
            values[first, second] = total / weights
    return values
