"""Cutout paints one square."""

import torch

from handssl.augment.cutout import Cutout


def test_the_square_has_the_given_place_side_and_grey() -> None:
    image = torch.ones(1, 3, 50, 50)
    got = Cutout().transform(image, torch.tensor([[0.5, 0.3, 0.16, 0.25]]))
    inside = got[0, 0] == 0.25
    rows, columns = inside.nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (11, 18)  # 0.3 · 50 ± 4
    assert (int(columns.min()), int(columns.max())) == (21, 28)
    assert int(inside.sum()) == 64
    assert torch.equal(got[0, 0], got[0, 2])
    assert (got[0, 0][~inside] == 1).all()


def test_its_sides_and_centres_stay_in_the_released_range() -> None:
    values = Cutout().sample(torch.rand((5000, 5), generator=torch.Generator().manual_seed(0)))
    assert 0.15 < float(values[:, 3].max()) <= 0.16
    assert float(values[:, 1:3].min()) >= 0.25
    assert float(values[:, 1:3].max()) <= 0.75
