"""Objectives of pretraining: losses on the features of view pairs, with their heads."""

from handssl.objectives.config import (
    OBJECTIVE_CONFIGS,
    ContrastiveConfig,
    ObjectiveConfig,
    config_class,
    from_schema_1,
    hash_form,
    objective_config,
)
from handssl.objectives.nt_xent import nt_xent
from handssl.objectives.objective import Objective, ObjectiveOutput, ViewPair
from handssl.objectives.registry import OBJECTIVES, build_objective
from handssl.objectives.targets import relative_targets

__all__ = [
    "OBJECTIVES",
    "OBJECTIVE_CONFIGS",
    "ContrastiveConfig",
    "Objective",
    "ObjectiveConfig",
    "ObjectiveOutput",
    "ViewPair",
    "build_objective",
    "config_class",
    "from_schema_1",
    "hash_form",
    "nt_xent",
    "objective_config",
    "relative_targets",
]
