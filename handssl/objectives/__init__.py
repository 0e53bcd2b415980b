"""Objectives of pretraining: losses on the features of view pairs, with their heads."""

from handssl.objectives.nt_xent import nt_xent
from handssl.objectives.objective import Objective, ObjectiveConfig, ObjectiveOutput, ViewPair
from handssl.objectives.registry import OBJECTIVES, build_objective
from handssl.objectives.targets import relative_targets

__all__ = [
    "OBJECTIVES",
    "Objective",
    "ObjectiveConfig",
    "ObjectiveOutput",
    "ViewPair",
    "build_objective",
    "nt_xent",
    "relative_targets",
]
