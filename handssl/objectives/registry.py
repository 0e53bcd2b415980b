"""The objectives by name."""

from collections.abc import Callable
from typing import Final

from handssl.augment import Composition
from handssl.errors import ConfigError
from handssl.objectives.care import CareObjective
from handssl.objectives.contrastive import ContrastiveObjective
from handssl.objectives.equivariant import EquivariantObjective
from handssl.objectives.mixed import MixedObjective
from handssl.objectives.objective import Objective, ObjectiveConfig
from handssl.objectives.relative import RelativeObjective

OBJECTIVES: Final[dict[str, Callable[[ObjectiveConfig, Composition, int], Objective]]] = {
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
        ConfigError: An unknown name, or a composition that the objective cannot use.

    Example:
        >>> objective = build_objective(ObjectiveConfig(), Composition.parse("rotate"), 512)
        >>> type(objective).__name__, [str(pair) for pair in objective.pairs]
        ('ContrastiveObjective', ['rotate'])
    """
    if config.name not in OBJECTIVES:
        raise ConfigError(
            f"objective.name must be one of {', '.join(OBJECTIVES)}, but got objective.name="
            f'"{config.name}"'
        )
    assigned = any(
        objective is not None for view in composition.views for objective in view.objectives
    )
    if assigned and config.name != "mixed":
        raise ConfigError(
            f"objective.name must be mixed for a composition that assigns objectives, but got "
            f'objective.name={config.name} with composition="{composition}"; drop the assignments '
            "or set objective.name=mixed"
        )
    return OBJECTIVES[config.name](config, composition, feature_dim)
