"""The interface of objectives: from the features of view pairs to a loss and its terms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from handssl.augment import Composition, Views
from handssl.errors import ConfigError
from handssl.objectives.targets import TARGETS


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """Configuration of any objective; each reads some of the fields.

    Attributes:
        name: Key in `OBJECTIVES`.
        temperature: τ of NT-Xent.
        chunk_size: Anchors per block of NT-Xent, or None for all at once.
        hidden_dim: Width of the projection head's hidden layer.
        projection_dim: Dimension of the projections.
        targets: Relative targets, "standardised" or "released".
        rotation: Relative rotation as "angle" or as "sincos" (standardised targets only).
        norm: Relative error, "l1" (mean absolute) or "l2" (mean Euclidean norm per sample).
        equivariance: How the equivariant objective undoes the motion, "released" or "exact".
        mixture: Mixed on "separate" pairs of views (released) or on a "shared" one.
        contrastive_weighting: Of mixed: "constant", or "sigma" for a trainable σ.
        contrastive_weight: The constant.
        options: Numbers of one objective alone, such as weight and chunk of care.
    """

    name: str = "contrastive"
    temperature: float = 0.5
    chunk_size: int | None = None
    hidden_dim: int = 2048
    projection_dim: int = 128
    targets: str = "standardised"
    rotation: str = "angle"
    norm: str = "l1"
    equivariance: str = "released"
    mixture: str = "separate"
    contrastive_weighting: str = "constant"
    contrastive_weight: float = 1.0
    options: Mapping[str, float | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature must be > 0, but got temperature={self.temperature}; the paper "
                "uses 0.5"
            )
        for name in ("chunk_size", "hidden_dim", "projection_dim"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be >= 1, but got {name}={value}; raise it")
        choices = {
            "targets": TARGETS,
            "rotation": ("angle", "sincos"),
            "norm": ("l1", "l2"),
            "equivariance": ("released", "exact"),
            "mixture": ("separate", "shared"),
            "contrastive_weighting": ("constant", "sigma"),
        }
        for name, valid in choices.items():
            if getattr(self, name) not in valid:
                raise ConfigError(
                    f"{name} must be one of {', '.join(valid)}, but got {name}="
                    f'"{getattr(self, name)}"'
                )
        if not self.contrastive_weight >= 0:
            raise ConfigError(
                "contrastive_weight must be >= 0, but got contrastive_weight="
                f"{self.contrastive_weight}; the paper's sum has 1"
            )
        if self.rotation == "sincos" and self.targets == "released":
            raise ConfigError(
                "rotation must be angle for released targets, but got rotation=sincos; set "
                "targets=standardised"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPair:
    """Two views of each image of a batch, and their features.

    Attributes:
        a: The first views, as `make_views` returns them.
        b: The second views.
        features_a: (B, D) features of the first views.
        features_b: (B, D) features of the second views.
    """

    a: Views
    b: Views
    features_a: Float[Tensor, "batch dim"]
    features_b: Float[Tensor, "batch dim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveOutput:
    """A loss to differentiate, and detached scalars to log.

    Attributes:
        loss: Scalar.
        terms: Scalars by name, with units in the names.
    """

    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]


class Objective(nn.Module, ABC):
    """A self-supervised objective with its heads.

    Attributes:
        default_options: The valid options, with their defaults.
        config: Its configuration.
        pairs: Compositions of the pairs of views that one step makes; `Composition.views` has
            the two views' compositions.
    """

    default_options: ClassVar[Mapping[str, float | int]] = {}
    pairs: tuple[Composition, ...]

    def __init__(self, config: ObjectiveConfig, pairs: Sequence[Composition]) -> None:
        super().__init__()
        self.config = config
        self.pairs = tuple(pairs)
        self.read_options(config)

    @classmethod
    def read_options(cls, config: ObjectiveConfig) -> dict[str, float | int]:
        """The configured options over the defaults.

        Raises:
            ConfigError: An option that this objective does not know.
        """
        for name in config.options:
            if name not in cls.default_options:
                valid = ", ".join(cls.default_options) or "nothing"
                raise ConfigError(
                    f"objective.options of {config.name} must be among {valid}, but got "
                    f"objective.options.{name}={config.options[name]}; drop it"
                )
        return {**cls.default_options, **config.options}

    @abstractmethod
    def forward(self, pairs: Sequence[ViewPair]) -> ObjectiveOutput:
        """Loss of one batch; one `ViewPair` for each of `self.pairs`, in their order."""


class PairObjective(Objective):
    """An objective on one pair of views a step."""

    def __init__(self, config: ObjectiveConfig, composition: Composition) -> None:
        super().__init__(config, [composition])

    def forward(self, pairs: Sequence[ViewPair]) -> ObjectiveOutput:
        """Loss of the one pair."""
        (pair,) = pairs
        return self.loss(pair)

    @abstractmethod
    def loss(self, pair: ViewPair) -> ObjectiveOutput:
        """Loss of a pair, with its terms."""
