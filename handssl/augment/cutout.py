"""Cutout: a square of one grey over a part of the view."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment.augmentation import Occasional, require_range, uniform_between


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout(Occasional):
    """A square of one random grey, its centre anywhere in the middle of the view.

    The released code centres it on a random joint, which takes labels; here the centre is uniform
    in the middle half of the view, where the hand is (D5).

    Attributes:
        max_side_frac: Largest side of the square over the view's (released: 0.16).
    """

    name: ClassVar[str] = "cutout"
    symbol: ClassVar[str] = "CO"
    columns: ClassVar[tuple[str, ...]] = ("applied", "x_frac", "y_frac", "side_frac", "grey")
    uniforms: ClassVar[int] = 5
    key: ClassVar[str] = "cutout"

    max_side_frac: float = 0.16

    def __post_init__(self) -> None:
        Occasional.__post_init__(self)
        require_range("cutout.max_side_frac", 0.0, self.max_side_frac, minimum=0.0, maximum=1.0)

    def sample_details(self, uniforms: Float[Tensor, "batch 4"]) -> Float[Tensor, "batch 4"]:
        """Centre (x, y) in [1/4, 3/4] and side as fractions of the view's, and the grey."""
        centre = uniform_between(uniforms[:, :2], 0.25, 0.75)
        side = uniform_between(uniforms[:, 2:3], 0.0, self.max_side_frac)
        return torch.cat([centre, side, uniforms[:, 3:]], dim=1)

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 4"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pixels whose centre lies in the square become grey."""
        height, width = images.shape[-2:]
        x, y, side, shade = torch.split(details, 1, dim=1)
        columns = (torch.arange(width, device=images.device) + 0.5) / width
        rows = (torch.arange(height, device=images.device) + 0.5) / height
        inside = ((rows - y).abs() <= side / 2)[:, :, None] & ((columns - x).abs() <= side / 2)[
            :, None
        ]
        return torch.where(inside[:, None], shade[:, :, None, None], images)
