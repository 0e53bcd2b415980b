"""The interface of augmentations: magnitudes as fields, parameters as tensors, and no state."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

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

    It holds no randomness: `sample` maps rows of uniform numbers to parameters, one row a sample,
    so that the parameters of an image do not depend on how the batch is split.

    Attributes:
        name: Key in `AUGMENTATIONS` and in compositions.
        symbol: The paper's abbreviation, for labels.
        columns: Meaning of each column of the parameters, with units.
        uniforms: How many uniform numbers one sample consumes.
        key: Name under which the sampled parameters stand in the views' dictionary.
    """

    name: ClassVar[str]
    symbol: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    uniforms: ClassVar[int]
    key: ClassVar[str]

    @abstractmethod
    def sample(self, uniforms: Float[Tensor, "batch draws"]) -> Float[Tensor, "batch columns"]:
        """Parameters from uniform numbers in [0, 1), row by row."""

    def view_parameters(
        self,
        values: Float[Tensor, "batch columns"],
        side_px: Float[Tensor, " batch"],
        source_px: int,
    ) -> dict[str, Tensor]:
        """Parameters by name that depend on the view's crop too; none, unless overridden.

        Args:
            values: As `sample` returned them.
            side_px: Side of the view's crop in source pixels.
            source_px: Side of the source.
        """
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
        self,
        images: Float[Tensor, "batch 3 height width"],
        values: Float[Tensor, "batch columns"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """The augmented images in [0, 1]; the input may be overwritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasional(Appearance):
    """An appearance change that only a share of the images gets.

    The first column of the parameters is "applied" (1 or 0), the first uniform number decides it.

    Attributes:
        probability: Share of the images that get it (released: 1/2).
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ConfigError(
                f"{self.name}.probability must be > 0 and <= 1, but got {self.name}.probability="
                f"{self.probability:g}; leave {self.name} out to never apply it"
            )

    def sample(self, uniforms: Float[Tensor, "batch draws"]) -> Float[Tensor, "batch columns"]:
        """("applied", then `sample_details` of the other uniform numbers)."""
        applied = (uniforms[:, :1] < self.probability).to(uniforms)
        return torch.cat([applied, self.sample_details(uniforms[:, 1:])], dim=1)

    def apply(
        self,
        images: Float[Tensor, "batch 3 height width"],
        values: Float[Tensor, "batch columns"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """The images with `transform` on those rows where "applied" is 1."""
        rows = values[:, 0].nonzero()[:, 0]
        if len(rows) == 0:
            return images
        details = values[rows, 1:].to(images)
        if len(rows) == len(images):
            return self.transform(images, details)
        rows = rows.to(images.device)
        images[rows] = self.transform(images[rows], details)
        return images

    def sample_details(
        self, uniforms: Float[Tensor, "batch draws"]
    ) -> Float[Tensor, "batch details"]:
        """Columns after "applied"; as they come unless a subclass maps them to its ranges."""
        return uniforms

    @abstractmethod
    def transform(
        self,
        images: Float[Tensor, "batch 3 height width"],
        details: Float[Tensor, "batch details"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """The changed images in [0, 1], given the columns after "applied"."""


class Regressable(ABC):
    """An augmentation whose relative parameters the relative objective can predict.

    Attributes:
        regressed: Meaning of each column of a difference, with units.
        neutral: The parameters of a view that does not get the augmentation.
    """

    __slots__ = ()
    regressed: ClassVar[tuple[str, ...]]
    neutral: ClassVar[tuple[float, ...]]

    @staticmethod
    @abstractmethod
    def difference(
        values_i: Float[Tensor, "batch columns"], values_j: Float[Tensor, "batch columns"]
    ) -> Float[Tensor, "batch columns"]:
        """θ_ij = θ_j − θ_i of two views' parameters, in the units of `regressed`."""

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


def require_range(
    name: str, low: float, high: float, *, minimum: float, maximum: float = float("inf")
) -> None:
    """Refuse a range [low, high] that is empty or leaves [minimum, maximum]."""
    if not minimum <= low <= high <= maximum:
        raise ConfigError(
            f"{name} must be an increasing range within [{minimum:g}, {maximum:g}], but got "
            f"{name}=({low:g}, {high:g}); lower its first or raise its second value"
        )
