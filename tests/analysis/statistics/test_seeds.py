import numpy as np
import pytest
from scipy import stats

from analysis.statistics import (
    Spread,
    difference_shift,
    row_spreads,
    seed_draws,
    simultaneous,
    summarise,
)
from analysis.statistics.seeds import bartlett_p

COUNT = 4000


def test_summarise_gives_mean_and_sample_standard_deviation() -> None:
    found = summarise([2.0, 4.0, 9.0])
    assert found is not None
    assert (found.mean, found.n) == (5.0, 3)
    assert found.sd == pytest.approx(np.std([2.0, 4.0, 9.0], ddof=1))


def test_summarise_of_one_value_has_no_deviation_and_of_none_is_none() -> None:
    found = summarise([3.0, float("nan")])
    assert found is not None
    assert (found.mean, found.sd, found.n) == (3.0, None, 1)
    assert summarise([float("nan")]) is None


def test_three_seeds_have_their_spread_and_fewer_the_pooled_one() -> None:
    several, two, one = row_spreads([[10.0, 10.0, 13.0], [1.0, 3.0], [7.0]])
    assert several is not None
    assert two is not None
    # Squares 6 and 2 about their means, by hand.
    assert [several.sd, two.sd] == pytest.approx([np.sqrt(6.0 / 2), np.sqrt((6.0 + 2.0) / 3)])
    assert (several.freedom, two.freedom) == (2, 3)
    assert one is two


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[1.0], [2.0]], "nothing is repeated"),
        ([[1.0, 2.0, 4.0], [2.0]], "one repeated row cannot be tested"),
        ([[1.0, 1.1, 1.2, 1.3], [0.0, 9.0, 20.0, 33.0], [2.0]], "unequal spreads"),
        ([[1.0, 1.0], [2.0, 2.0], [2.0]], "no spread at all"),
    ],
)
def test_nothing_is_pooled_where_the_test_does_not_let_it(
    rows: list[list[float]], why: str
) -> None:
    assert row_spreads(rows)[-1] is None, why


def test_bartlett_is_its_formula() -> None:
    rows = [[1.0, 2.0, 4.0], [3.0, 3.5, 9.0, 1.0], [2.0, 5.0]]
    freedom = np.array([len(row) - 1 for row in rows])
    variance = np.array([np.var(row, ddof=1) for row in rows])
    pooled = (freedom * variance).sum() / freedom.sum()
    statistic = freedom.sum() * np.log(pooled) - (freedom * np.log(variance)).sum()
    statistic /= 1 + ((1 / freedom).sum() - 1 / freedom.sum()) / (3 * (len(rows) - 1))
    assert bartlett_p(rows) == pytest.approx(stats.chi2.sf(statistic, len(rows) - 1))


def test_means_and_their_differences_follow_student_s_t_of_the_pool() -> None:
    spread = Spread(sd=np.sqrt(2), freedom=3)
    first, second = seed_draws([spread, spread], [4, 2], COUNT, np.random.default_rng(0))
    assert first is not None
    assert second is not None
    assert first.ratio is second.ratio
    assert stats.kstest(first.shift, stats.t(df=3, scale=np.sqrt(2 / 4)).cdf).pvalue > 0.01
    between = stats.t(df=3, scale=np.sqrt(2.0 * (1 / 4 + 1 / 2)))
    shift = difference_shift([(1, first), (-1, second)])
    assert stats.kstest(shift, between.cdf).pvalue > 0.01


@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0])
def test_a_difference_of_two_spreads_is_welch_s(scale: float) -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(0, 1, 5), random.normal(0, scale, 4)
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    first, second = seed_draws(row_spreads([x.tolist(), y.tolist()]), [5, 4], 40_000, random)
    assert first is not None
    assert second is not None
    shift = difference_shift([(1, first), (-1, second)])
    found = x.mean() - y.mean() + np.percentile(shift, (2.5, 97.5))
    width = expected.high - expected.low
    assert found == pytest.approx([expected.low, expected.high], abs=0.03 * width)


def test_a_family_of_one_keeps_its_interval_and_independent_ones_have_sidak_s() -> None:
    draws = np.random.default_rng(0).standard_normal((10, 40_000))
    (alone,) = simultaneous(draws[:1])
    assert alone == pytest.approx(np.percentile(draws[0], (2.5, 97.5)))
    bound = stats.norm.ppf((1 + 0.95 ** (1 / 10)) / 2)
    assert simultaneous(draws) == pytest.approx(np.tile([-bound, bound], (10, 1)), abs=0.12)
    # Ten times the same difference is one difference.
    same = simultaneous(np.repeat(draws[:1], 10, axis=0))
    assert same == pytest.approx(np.tile(alone, (10, 1)), rel=0.02)


def test_a_row_that_never_varies_does_not_widen_the_others() -> None:
    draws = np.random.default_rng(0).standard_normal((1, 4000))
    found = simultaneous(np.vstack([draws, np.full((1, 4000), 3.0)]))
    assert found[0] == pytest.approx(simultaneous(draws)[0], rel=0.05)
    assert found[1].tolist() == [3.0, 3.0]
