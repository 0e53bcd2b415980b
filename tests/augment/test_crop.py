"""The random crop stays inside and keeps its area and aspect ratio."""

import torch

from handssl.augment.crop import Crop


def test_rectangles_lie_inside_with_area_and_ratio_in_range() -> None:
    values = Crop(min_area=0.2, max_area=0.6).sample(
        torch.rand((5000, 4), generator=torch.Generator().manual_seed(0))
    )
    corner, sides = values[:, :2], values[:, 2:]
    assert float(corner.min()) >= 0
    assert float((corner + sides).max()) <= 1 + 1e-6
    area, ratio = sides.prod(1), sides[:, 0] / sides[:, 1]
    assert 0.2 - 1e-6 <= float(area.min()) < 0.21
    assert 0.59 < float(area.max()) <= 0.6 + 1e-6
    assert 0.74 < float(ratio.min()) < 0.76
    assert 1.32 < float(ratio.max()) < 1.34
