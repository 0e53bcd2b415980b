"""View pairs with real parameters, and features drawn from a generator."""

from collections.abc import Callable

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment import Composition, make_views
from handssl.objectives import ViewPair


def pair_of(composition: Composition, *, n: int = 12, dim: int = 8, seed: int = 0) -> ViewPair:
    """Random features with gradient; the parameters and matrices are those of real views."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(n, 3, 48, 48, dtype=torch.uint8)
    side_px = 30 + 10 * torch.rand(n, generator=generator)
    views = [
        make_views(images, view, generator, size=16, side_px=side_px) for view in composition.views
    ]
    features: list[Float[Tensor, "n dim"]] = [
        torch.randn(n, dim, generator=generator).requires_grad_() for _ in range(2)
    ]
    return ViewPair(a=views[0], b=views[1], features_a=features[0], features_b=features[1])


@pytest.fixture
def make_pair() -> Callable[..., ViewPair]:
    return pair_of
