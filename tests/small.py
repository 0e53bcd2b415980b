"""Objectives with small heads, where they have any."""

import dataclasses
from typing import Any

from handssl.objectives import OBJECTIVE_CONFIGS, ObjectiveConfig, objective_config


def small_objective(
    name: str, *, hidden_dim: int = 32, projection_dim: int = 16, **values: Any
) -> ObjectiveConfig:
    fields = {field.name for field in dataclasses.fields(OBJECTIVE_CONFIGS[name])}
    heads = {"hidden_dim": hidden_dim, "projection_dim": projection_dim}
    return objective_config(name, **{k: v for k, v in heads.items() if k in fields}, **values)
