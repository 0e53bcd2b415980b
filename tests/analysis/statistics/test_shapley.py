from itertools import combinations, permutations

import numpy as np
import pytest

from analysis.statistics import interactions, shapley_values

PLAYERS = ("T", "CJ", "S", "Ro")


def coalitions(*, empty: bool) -> list[frozenset[str]]:
    sizes = range(0 if empty else 1, len(PLAYERS) + 1)
    return [frozenset(c) for size in sizes for c in combinations(PLAYERS, size)]


def random_game(seed: int, *, empty: bool) -> dict[frozenset[str], float]:
    random = np.random.default_rng(seed)
    return {coalition: float(random.normal()) for coalition in coalitions(empty=empty)}


def test_shapley_equals_the_mean_over_all_orders() -> None:
    game = random_game(0, empty=True)
    slow = dict.fromkeys(PLAYERS, 0.0)
    for order in permutations(PLAYERS):
        for position, player in enumerate(order):
            before = frozenset(order[:position])
            slow[player] += (game[before | {player}] - game[before]) / 24
    assert shapley_values(PLAYERS, game) == pytest.approx(slow)


def test_shapley_of_an_additive_game_is_each_player_s_worth_and_interactions_vanish() -> None:
    worth = {"T": -2.0, "CJ": -1.0, "S": -3.0, "Ro": 1.5}
    game = {c: 20.0 + sum(worth[p] for p in c) for c in coalitions(empty=True)}
    assert shapley_values(PLAYERS, game) == pytest.approx(worth)
    assert list(interactions(PLAYERS, game).values()) == pytest.approx([0.0] * 6)


def test_without_the_empty_composition_values_are_centred_and_differences_are_kept() -> None:
    whole = random_game(1, empty=True)
    partial = {coalition: value for coalition, value in whole.items() if coalition}
    exact, centred = shapley_values(PLAYERS, whole), shapley_values(PLAYERS, partial)
    assert sum(centred.values()) == pytest.approx(0.0)
    shifts = [exact[player] - centred[player] for player in PLAYERS]
    assert shifts == pytest.approx([shifts[0]] * 4)


@pytest.mark.parametrize("empty", [True, False])
def test_a_planted_pair_is_the_only_interaction(empty: bool) -> None:
    game = {c: 10.0 - 0.5 * ({"T", "S"} <= c) for c in coalitions(empty=empty)}
    found = interactions(PLAYERS, game)
    assert found.pop(("T", "S")) == pytest.approx(-0.5)
    assert list(found.values()) == pytest.approx([0.0] * 5)


def test_interactions_of_three_players_equal_the_hand_computed_index() -> None:
    players = ("a", "b", "c")
    game = {
        frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("c"): 4.0,
        frozenset("ab"): 5.0, frozenset("ac"): 4.0, frozenset("bc"): 7.0, frozenset("abc"): 12.0,
    }  # fmt: skip
    # I_ab = 1/2 (v(ab) - v(a) - v(b)) + 1/2 (v(abc) - v(ac) - v(bc) + v(c)) = 1/2·2 + 1/2·5
    assert interactions(players, game)["a", "b"] == pytest.approx(3.5)


def test_draws_pass_through_as_arrays() -> None:
    game = {c: np.array([1.0, 2.0]) * len(c) for c in coalitions(empty=True)}
    np.testing.assert_allclose(shapley_values(PLAYERS, game)["T"], [1.0, 2.0])
