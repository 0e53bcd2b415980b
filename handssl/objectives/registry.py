"""The objectives by name."""

from collections.abc import Callable
from typing import Any, Final

from handssl.augment import Composition
from handssl.errors import require
from handssl.objectives.care import CareObjective
from handssl.objectives.config import ObjectiveConfig
from handssl.objectives.contrastive import ContrastiveObjective
from handssl.objectives.equivariant import EquivariantObjective
from handssl.objectives.mixed import MixedObjective
from handssl.objectives.objective import Objective
from handssl.objectives.relative import RelativeObjective

OBJECTIVES: Final[dict[str, Callable[[Any, Composition, int], Objective]]] = {
    "contrastive": ContrastiveObjective,
    "relative": RelativeObjective,
    "equivariant": EquivariantObjective,
    "mixed": MixedObjective,
    "care": CareObjective,
}


def build_objective(
    config: ObjectiveConfig, composition: Composition, feature_dim: int
) -> Objective:
    """The configured objective with fresh heads.

    Args:
        config: Its configuration.
        composition: Augmentations of the views.
        feature_dim: Dimension of the encoder's features.

    Raises:
        ConfigError: A composition that the objective cannot use.

    Example:
        >>> from handssl.objectives import objective_config
        >>> objective = build_objective(objective_config(), Composition.parse("rotate"), 512)
        >>> type(objective).__name__, [str(pair) for pair in objective.pairs]
        ('ContrastiveObjective', ['rotate'])
    """
    assigned = any(any(view.objectives) for view in composition.views)
    require(
        config.name == "mixed" or not assigned,
        "objective.name must be mixed for a composition that assigns objectives, but got "
        f'objective.name={config.name} with composition="{composition}"; or drop the assignments',
    )
    return OBJECTIVES[config.name](config, composition, feature_dim)
