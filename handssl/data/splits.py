"""Which poses validate: own 90/10 splits over whole groups."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from handssl.errors import ConfigError

Split = Literal["train", "val", "test"]

SPLIT_SEED: Final = 5
"""Seed of the released split of FreiHAND."""


def validation_mask(n_groups: int) -> NDArray[np.bool_]:
    """True for the tenth of the groups that validates.

    `RandomState(5).permutation(n)`, its first tenth; for FreiHAND's 32,560 poses this is the
    released code's split, 3,256 poses for validation. From two groups on, both sides get at
    least one.

    Args:
        n_groups: Number of groups (poses, captures) that must stay whole.
    """
    if n_groups < 1:
        raise ConfigError(f"n_groups must be >= 1, but got n_groups={n_groups}")
    # The legacy generator is part of the released split: its stream is frozen by NumPy.
    order = np.random.RandomState(SPLIT_SEED).permutation(n_groups)
    count = n_groups // 10 if n_groups >= 10 else int(n_groups >= 2)
    mask = np.zeros(n_groups, dtype=np.bool_)
    mask[order[:count]] = True
    return mask
