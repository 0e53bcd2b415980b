"""Random resized crop, without the flip that would break a hand's chirality."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment.augmentation import Frame, Geometric, require_range, uniform_between


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Geometric):
    """A rectangle of the view, stretched to the whole of it; the last of the geometric ones.

    Area and aspect ratio are SimCLR's (Chen et al. 2020; D10). The rectangle lies within
    the crop of the nominal margin, after the others have moved the content.

    Attributes:
        min_area: Smallest share of the crop's area.
        max_area: Largest share.
        max_ratio: Largest width over height, and its inverse the smallest; uniform in log.
    """

    name: ClassVar[str] = "crop"
    symbol: ClassVar[str] = "Cr"
    columns: ClassVar[tuple[str, ...]] = ("x_frac", "y_frac", "width_frac", "height_frac")
    uniforms: ClassVar[int] = 4
    key: ClassVar[str] = "crop"

    min_area: float = 0.08
    max_area: float = 1.0
    max_ratio: float = 4 / 3

    def __post_init__(self) -> None:
        require_range("crop.area", self.min_area, self.max_area, minimum=0.01, maximum=1.0)
        require_range("crop.max_ratio", 1.0, self.max_ratio, minimum=1.0, maximum=4.0)

    def sample(self, uniforms: Float[Tensor, "batch 4"]) -> Float[Tensor, "batch 4"]:
        """Upper left corner, width and height as fractions of the crop's side."""
        area = uniform_between(uniforms[:, :1], self.min_area, self.max_area)
        log_ratio = math.log(self.max_ratio)
        ratio = uniform_between(uniforms[:, 1:2], -log_ratio, log_ratio).exp()
        sides = torch.cat([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1).clamp_max(1)
        return torch.cat([uniforms[:, 2:] * (1 - sides), sides], dim=1)

    def matrix(self, values: Float[Tensor, "batch 4"], frame: Frame) -> Float[Tensor, "batch 3 3"]:
        """Brings the rectangle onto the whole crop, whose corner is centre − side/2."""
        corner, sides = torch.split(values.double(), 2, dim=1)
        origin = frame.centre_px - frame.side_px[:, None] / 2
        matrix = torch.eye(3, dtype=torch.float64).repeat(len(values), 1, 1)
        matrix[:, 0, 0], matrix[:, 1, 1] = 1 / sides[:, 0], 1 / sides[:, 1]
        start = origin + corner * frame.side_px[:, None]
        matrix[:, :2, 2] = origin - start / sides
        return matrix
