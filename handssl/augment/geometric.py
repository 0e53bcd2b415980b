"""Geometric augmentations: translate, scale, rotate and crop, as maps of the source plane.

The first three act about the hand's centre in this order: rotate, translate, scale. A source point
p goes to

    view = ((R (p − centre) − shift) / side_view + 1/2) · size − 1/2
    side_view = side · margin / 1.25

so the shift is seen as such in the view, whatever the rotation. Pixel centres are at integers.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor

from handssl.augment.augmentation import (
    Augmentation,
    Frame,
    Geometric,
    Regressable,
    uniform_between,
)
from handssl.errors import ConfigError

NOMINAL_MARGIN: Final = 1.25
"""Margin of the unaugmented crop: half its side over the largest distance of a joint."""

NOMINAL_SIDE_FRAC: Final = 0.6
"""Nominal crop side as a fraction of the source's, for the spread of translation targets.

The shift is drawn in source pixels and regressed in fractions of a crop whose side varies, so its
spread depends on the data (D2)."""

_SOURCE_PX: Final = 224.0
"""Side of the source on which the released code measures its shifts."""


def _about_centre(linear: Float[Tensor, "batch 2 2"], frame: Frame) -> Float[Tensor, "batch 3 3"]:
    """The map p ↦ A (p − centre) + centre as a 3×3 matrix."""
    matrix = torch.eye(3, dtype=torch.float64).repeat(len(linear), 1, 1)
    matrix[:, :2, :2] = linear
    matrix[:, :2, 2] = frame.centre_px - (linear @ frame.centre_px[..., None])[..., 0]
    return matrix


def wrap_deg(angle_deg: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same angles in (−180°, 180°].

    Example:
        >>> wrap_deg(torch.tensor([190.0, -180.0, 45.0]))
        tensor([-170.,  180.,   45.])
    """
    return 180 - torch.remainder(180 - angle_deg, 360)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translate(Geometric, Regressable):
    """Shift of the crop's centre, uniform per axis, in the frame of the view.

    Attributes:
        max_px: Largest shift per axis in pixels of a 224 px source (released: 15); a source of
            another side S shifts by max_px · S / 224.
    """

    name: ClassVar[str] = "translate"
    symbol: ClassVar[str] = "T"
    columns: ClassVar[tuple[str, ...]] = ("x_source_frac", "y_source_frac")
    neutral: ClassVar[tuple[float, ...]] = (0.0, 0.0)

    max_px: Annotated[float, Gt(0), Le(_SOURCE_PX / 2)] = 15.0

    @property
    def key(self) -> str:
        """The shift in the source; "translate" is the one in the view."""
        return "translate_source"

    def sample(self, uniforms: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 2"]:
        """Shift (x, y) as a fraction of the source's side."""
        return uniform_between(uniforms, -self.max_px, self.max_px) / _SOURCE_PX

    def matrix(self, values: Float[Tensor, "batch 2"], frame: Frame) -> Float[Tensor, "batch 3 3"]:
        """The crop moves by +shift, so the content moves by −shift."""
        matrix = torch.eye(3, dtype=torch.float64).repeat(len(values), 1, 1)
        matrix[:, :2, 2] = -values.double() * frame.source_px
        return matrix

    def view_parameters(
        self, values: Float[Tensor, "batch 2"], side_px: Float[Tensor, " batch"], source_px: int
    ) -> dict[str, Tensor]:
        """The shift as a fraction of the view's crop side, "translate", which is regressed."""
        return {self.name: values * source_px / side_px[:, None]}

    def difference_std(self) -> tuple[float, ...]:
        """√2 · (uniform's deviation), for a crop of the nominal side."""
        return tuple(math.sqrt(2) * value for value in self.neutral_rms())

    def neutral_rms(self) -> tuple[float, ...]:
        """The uniform's deviation, for a crop of the nominal side."""
        return (self.max_px / _SOURCE_PX / NOMINAL_SIDE_FRAC / math.sqrt(3),) * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Geometric, Regressable):
    """Zoom: the margin of the crop, uniform, against the nominal 1.25.

    Attributes:
        min_margin: Smallest margin (released: 0.9).
        max_margin: Largest margin (released: 1.5).
    """

    name: ClassVar[str] = "scale"
    symbol: ClassVar[str] = "S"
    columns: ClassVar[tuple[str, ...]] = ("margin",)
    neutral: ClassVar[tuple[float, ...]] = (NOMINAL_MARGIN,)

    min_margin: Annotated[float, Ge(0.1), Le(10)] = 0.9
    max_margin: Annotated[float, Ge(0.1), Le(10)] = 1.5

    def __post_init__(self) -> None:
        # A slotted dataclass is a new class, which the argument-free super() does not know.
        Augmentation.__post_init__(self)
        if self.min_margin == self.max_margin:
            raise ConfigError(
                f"scale.max_margin must be > scale.min_margin, but got scale.max_margin="
                f"{self.max_margin:g}; leave scale out for a fixed margin"
            )

    def sample(self, uniforms: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """The margin."""
        return uniform_between(uniforms, self.min_margin, self.max_margin)

    def matrix(self, values: Float[Tensor, "batch 1"], frame: Frame) -> Float[Tensor, "batch 3 3"]:
        """A larger margin shows more of the source, so the content shrinks by 1.25 / margin."""
        zoom = NOMINAL_MARGIN / values.double()
        return _about_centre(torch.eye(2, dtype=torch.float64) * zoom[..., None], frame)

    @staticmethod
    def difference(
        values_i: Float[Tensor, "batch 1"], values_j: Float[Tensor, "batch 1"]
    ) -> Float[Tensor, "batch 1"]:
        """Logarithm of margin_j / margin_i."""
        return values_j.log() - values_i.log()

    def difference_std(self) -> tuple[float, ...]:
        """√2 · (deviation of log U for U uniform)."""
        _, variance = self._log_moments()
        return (math.sqrt(2 * variance),)

    def neutral_rms(self) -> tuple[float, ...]:
        """√(variance of log U + (mean of log U − log 1.25)²)."""
        mean, variance = self._log_moments()
        return (math.hypot(math.sqrt(variance), mean - math.log(NOMINAL_MARGIN)),)

    def _log_moments(self) -> tuple[float, float]:
        """Mean and variance of the margin's logarithm, from ∫ log x and ∫ log² x."""
        a, b = self.min_margin, self.max_margin
        log_a, log_b = math.log(a), math.log(b)
        mean = (b * log_b - a * log_a) / (b - a) - 1
        square = (b * log_b**2 - a * log_a**2) / (b - a) - 2 * mean
        return mean, square - mean**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(Geometric, Regressable):
    """Rotation about the hand's centre, uniform, counter-clockwise as seen.

    Attributes:
        max_deg: Largest angle to either side, degrees (released: 45).
    """

    name: ClassVar[str] = "rotate"
    symbol: ClassVar[str] = "Ro"
    columns: ClassVar[tuple[str, ...]] = ("angle_deg",)
    neutral: ClassVar[tuple[float, ...]] = (0.0,)

    max_deg: Annotated[float, Gt(0), Le(180)] = 45.0

    def sample(self, uniforms: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """The angle in degrees."""
        return uniform_between(uniforms, -self.max_deg, self.max_deg)

    def matrix(self, values: Float[Tensor, "batch 1"], frame: Frame) -> Float[Tensor, "batch 3 3"]:
        """With v pointing down, counter-clockwise is [[cos, sin], [−sin, cos]]."""
        angle = values.double()[:, 0].deg2rad()
        cos, sin = angle.cos(), angle.sin()
        linear = torch.stack([cos, sin, -sin, cos], dim=-1).reshape(-1, 2, 2)
        return _about_centre(linear, frame)

    @staticmethod
    def difference(
        values_i: Float[Tensor, "batch 1"], values_j: Float[Tensor, "batch 1"]
    ) -> Float[Tensor, "batch 1"]:
        """Wrapped to (−180°, 180°]."""
        return wrap_deg(values_j - values_i)

    def difference_std(self) -> tuple[float, ...]:
        """Root of E[wrap(d)²] for d with the triangular density (2m − |d|) / 4m² on ±2m.

        Differences beyond 180°, possible where m > 90°, count as 360° − |d|.
        """
        m = self.max_deg
        inner = min(180.0, 2 * m)
        second = 2 * (2 * m * inner**3 / 3 - inner**4 / 4)
        if m > 90:
            second += 2 * sum(
                sign * ((2 * m - 360) * e**3 / 3 + e**4 / 4)
                for sign, e in ((1, 180.0), (-1, 360 - 2 * m))
            )
        return (math.sqrt(second / (4 * m * m)),)

    def neutral_rms(self) -> tuple[float, ...]:
        """The uniform's deviation; an angle within a half turn needs no wrapping."""
        return (self.max_deg / math.sqrt(3),)


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

    min_area: Annotated[float, Ge(0.01), Le(1)] = 0.08
    max_area: Annotated[float, Ge(0.01), Le(1)] = 1.0
    max_ratio: Annotated[float, Ge(1), Le(4)] = 4 / 3

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
