"""The interface of objectives: from the features of view pairs to a loss and its terms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from handssl.augment import Composition, Views
from handssl.objectives.config import ObjectiveConfig


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
        config: Its configuration.
        pairs: Compositions of the pairs of views that one step makes; `Composition.views` has
            the two views' compositions.
    """

    config: ObjectiveConfig
    pairs: tuple[Composition, ...]

    def __init__(self, config: ObjectiveConfig, pairs: Sequence[Composition]) -> None:
        super().__init__()
        self.config = config
        self.pairs = tuple(pairs)

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
