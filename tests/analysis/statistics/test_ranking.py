import numpy as np
import pytest

from analysis.statistics import rank_draws


def test_rank_draws_counts_wins_and_rank_intervals_by_hand() -> None:
    draws = np.array([[1.0, 1.0, 3.0, 1.0], [2.0, 2.0, 2.0, 2.0], [3.0, 3.0, 1.0, 3.0]])
    first, second, third = rank_draws(draws)
    assert (first.best, second.best, third.best) == (0.75, 0.0, 0.25)
    assert (first.low, first.high) == (1, 3)
    assert (second.low, second.high) == (2, 2)


def test_ties_share_the_win() -> None:
    assert [rank.best for rank in rank_draws(np.ones((4, 10)))] == [0.25] * 4


def test_probability_of_being_best_equals_the_normal_one() -> None:
    random = np.random.default_rng(0)
    draws = random.normal([[0.0], [1.0]], 1.0, size=(2, 40_000))
    assert rank_draws(draws)[0].best == pytest.approx(0.760, abs=0.01)  # Φ(1/√2)
