"""The interface of augmentations: magnitudes as fields, parameters as tensors, and no state."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.checked import check_fields
from handssl.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where the hand is in the source image; pixel centres at integers.

    Attributes:
        centre_px: (B, 2) float64 centre of the hand, (u, v).
        side_px: (B,) float64 side of the hand's crop at margin 1.25.
        source_px: Side of the source image (the shorter one where it is not square).
    """

    centre_px: Float[Tensor, "batch 2"]
    side_px: Float[Tensor, " batch"]
    source_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation(ABC):
    """One augmentation; its fields are its magnitudes, validated on construction.

    It holds no randomness: `sample` maps rows of uniform numbers to parameters, one row a sample
    and one number a column, so that the parameters of an image do not depend on how the batch is
    split.

    Attributes:
        name: Key in `AUGMENTATIONS` and in compositions.
        symbol: The paper's abbreviation, for labels.
        columns: Meaning of each column of the parameters, with units.
    """

    name: ClassVar[str]
    symbol: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        check_fields(self, f"{self.name}.")
        values = dataclasses.asdict(self)
        for name, high in values.items():
            low_name = name.replace("max_", "min_")
            if values.get(low_name, high) > high:
                raise ConfigError(
                    f"{self.name}.{low_name} must be <= {self.name}.{name}={high:g}, but got "
                    f"{low_name}={values[low_name]:g}"
                )

    @property
    def key(self) -> str:
        """Name under which the sampled parameters stand in the views' dictionary."""
        return self.name

    @abstractmethod
    def sample(self, uniforms: Float[Tensor, "batch columns"]) -> Float[Tensor, "batch columns"]:
        """Parameters from uniform numbers in [0, 1), row by row."""

    def view_parameters(
        self,
        values: Float[Tensor, "batch columns"],
        side_px: Float[Tensor, " batch"],
        source_px: int,
    ) -> dict[str, Tensor]:
        """Parameters by name that depend on the side of the view's crop in source pixels too."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometric(Augmentation):
    """Moves points; all geometric augmentations of a view compose into one warp."""

    @abstractmethod
    def matrix(
        self, values: Float[Tensor, "batch columns"], frame: Frame
    ) -> Float[Tensor, "batch 3 3"]:
        """Map of source pixels to source pixels, float64; the crop to the view follows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance(Augmentation):
    """Changes pixel values of the view and moves nothing.

    Attributes:
        worth_compiling: Whether it is a long chain of elementwise operations, of which
            `torch.compile` makes one pass.
    """

    worth_compiling: ClassVar[bool] = False

    @abstractmethod
    def apply(
        self, images: Float[Tensor, "batch 3 height width"], values: Float[Tensor, "batch columns"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """The augmented images in [0, 1]; the input may be overwritten."""


class Regressable(ABC):
    """An augmentation whose relative parameters the relative objective can predict.

    Attributes:
        neutral: The parameters of a view that does not get the augmentation.
    """

    __slots__ = ()
    neutral: ClassVar[tuple[float, ...]]

    @staticmethod
    def difference(
        values_i: Float[Tensor, "batch columns"], values_j: Float[Tensor, "batch columns"]
    ) -> Float[Tensor, "batch columns"]:
        """θ_ij = θ_j − θ_i of two views' parameters, column by column."""
        return values_j - values_i

    @abstractmethod
    def difference_std(self) -> tuple[float, ...]:
        """Standard deviation of `difference` for two independent views, in closed form."""

    @abstractmethod
    def neutral_rms(self) -> tuple[float, ...]:
        """Root mean square of `difference` against a view without the augmentation."""


def uniform_between(
    uniforms: Float[Tensor, "*rows"], low: float, high: float
) -> Float[Tensor, "*rows"]:
    """Uniform numbers in [low, high) from uniform numbers in [0, 1)."""
    return torch.add(uniforms * (high - low), low)
