"""How a search overrides an objective, and which keys an objective has."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from handssl.errors import ConfigError
from handssl.objectives import OBJECTIVE_CONFIGS, ObjectiveConfig, config_class
from search.config.typed import from_dict


def override_objective(
    base: ObjectiveConfig, overrides: Mapping[str, Any], key: str
) -> ObjectiveConfig:
    """An objective with some values changed; another name keeps the values of keys in common.

    Args:
        base: The objective to change.
        overrides: Its new values.
        key: Where they are configured, such as "search.objectives.care".

    Raises:
        ConfigError: A key that the objective does not have, or a refused value.
    """
    try:
        fields = dataclasses.fields(config_class(overrides.get("name", base.name)))
        names = [field.name for field in fields if hasattr(base, field.name)]
        inherited = {name: getattr(base, name) for name in names}
        return from_dict(ObjectiveConfig, inherited | dict(overrides))
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def applies(key: str, objective: str, assigned: Iterable[str]) -> bool:
    """Whether a key of trial.pretrain means anything for an objective.

    A mixed objective has its own keys and those of the objectives that augmentations are
    assigned to.

    Args:
        key: Dotted key.
        objective: Name of the objective.
        assigned: Names of the objectives that the augmentations are assigned to.

    Example:
        >>> applies("objective.temperature", "relative", [])
        False
        >>> applies("objective.temperature", "mixed", ["contrastive"])
        True
    """
    group, _, name = key.partition(".")
    if group != "objective":
        return True
    if objective != "mixed":
        return _has(objective, name)
    shared = any(_has(other, name) for other in OBJECTIVE_CONFIGS if other != "mixed")
    return any(_has(other, name) for other in assigned) or (not shared and _has("mixed", name))


def _has(objective: str, name: str) -> bool:
    kind = OBJECTIVE_CONFIGS.get(objective)
    return kind is not None and name in {field.name for field in dataclasses.fields(kind)}
