"""The split into training and validation: 90/10, by whole groups."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from handssl.errors import require

Split = Literal["train", "val", "test"]

SPLIT_SEED: Final = 5
"""Seed of the paper's split of FreiHAND."""


def validation_mask(n_groups: int) -> NDArray[np.bool_]:
    """True for the tenth of the groups that is the validation split.

    The first tenth of `RandomState(5).permutation(n)`; for FreiHAND's 32,560 poses this is the
    split of the paper's code, with 3,256 poses for validation. From two groups on, both splits
    have at least one.

    Args:
        n_groups: Number of groups (poses, captures) that must not be divided.

    Example:
        >>> int(validation_mask(32_560).sum())
        3256
    """
    require(n_groups >= 1, f"n_groups must be >= 1, but got n_groups={n_groups}")
    # The legacy generator defines the paper's split; NumPy guarantees its stream.
    order = np.random.RandomState(SPLIT_SEED).permutation(n_groups)
    count = n_groups // 10 if n_groups >= 10 else int(n_groups >= 2)
    mask = np.zeros(n_groups, dtype=np.bool_)
    mask[order[:count]] = True
    return mask
