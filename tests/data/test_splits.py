import numpy as np
import pytest

from handssl.data.splits import validation_mask
from handssl.errors import ConfigError


def test_freihands_split_is_the_released_one() -> None:
    released = np.random.RandomState(5).permutation(32560)[:3256]
    assert set(np.flatnonzero(validation_mask(32560))) == set(released)


@pytest.mark.parametrize(("n", "validating"), [(1, 0), (2, 1), (9, 1), (10, 1), (25, 2)])
def test_a_tenth_validates_and_both_sides_exist_from_two_groups_on(
    n: int, validating: int
) -> None:
    assert validation_mask(n).sum() == validating


def test_no_groups_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_groups"):
        validation_mask(0)
