import numpy as np
import pytest
from scipy import stats

from analysis.statistics import pooled_spread, summarise


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


def test_pooled_spread_is_the_root_mean_square_within_groups() -> None:
    found = pooled_spread([[1.0, 3.0], [10.0, 10.0, 13.0], [7.0]])
    assert found is not None
    assert found.freedom == 3
    assert found.sd == pytest.approx(np.sqrt((2.0 + 6.0) / 3))  # squares 2 and 6, by hand
    assert pooled_spread([[1.0], [2.0]]) is None


def test_means_and_their_differences_follow_student_s_t_of_the_pool() -> None:
    spread = pooled_spread([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0]])
    assert spread is not None
    random = np.random.default_rng(0)
    scales = spread.scales(4000, random)
    first, second = (scales * random.standard_normal(4000) / np.sqrt(n) for n in (4, 2))
    assert stats.kstest(first, stats.t(df=3, scale=np.sqrt(2 / 4)).cdf).pvalue > 0.01
    between = stats.t(df=3, scale=np.sqrt(2.0 * (1 / 4 + 1 / 2)))
    assert stats.kstest(first - second, between.cdf).pvalue > 0.01
