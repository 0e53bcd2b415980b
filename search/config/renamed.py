"""Renamed keys and values: the command line refuses the old ones, a study.json is upgraded."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from handssl.errors import ConfigError
from handssl.objectives import from_schema_1

RENAMED_KEYS: Final[Mapping[str, str]] = {
    "runs.concurrent": "search.concurrent",
    "runs.retries": "search.retries",
    "runs.storage": "search.storage",
    "search.only": "search.include",
    "search.singles": "search.single_augmentations",
    "search.second_stage.best": "search.second_stage.top_k",
    "search.second_stage.also": "search.second_stage.extra",
    "transfer.shares": "transfer.weights",
    "transfer.least_steps": "transfer.min_steps",
    "transfer.rows.*.floors": "transfer.rows.*.baselines",
    "trial.pretrain.objective.options": "trial.pretrain.objective",
    "search.objectives.*.options": "search.objectives.*",
    "transfer.pretrained.*.objective.options": "transfer.pretrained.*.objective",
}
"""Old dotted key and the present one; * is any name."""

RENAMED_VALUES: Final[Mapping[tuple[str, str], str]] = {
    ("study", "embedded"): "synthetic",
    ("study", "looks"): "domains",
    ("fidelity", "embedded"): "synthetic",
}
"""Key and old value, and the present value."""


def check_renamed(key: str, value: str = "") -> None:
    """Refuse an old dotted key, or an old value of a key.

    Raises:
        ConfigError: With the present name.
    """
    for old, new in RENAMED_KEYS.items():
        pattern = re.escape(old).replace(r"\*", r"([^.]+)")
        if match := re.match(rf"{pattern}(?=\.|$)", key):
            present = match.expand(new.replace("*", r"\1"))
            raise ConfigError(f"{key} was renamed: use {present}{key[match.end() :]}")
    if (key, value) in RENAMED_VALUES:
        raise ConfigError(f"{key}={value} was renamed: use {key}={RENAMED_VALUES[key, value]}")


def upgrade_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The `config` of a study.json with the present keys, whenever it was written.

    Example:
        >>> upgrade_config({"search": {"only": ["relative S"]}, "fidelity": "embedded"})
        {'search': {'include': ['relative S']}, 'fidelity': 'synthetic'}
    """
    upgraded: dict[str, Any] = copy.deepcopy(dict(config))
    for pretrain in _matching(upgraded, ["trial", "pretrain"]):
        if "objective" in pretrain:
            # A field of another objective stays if it was set: no present study has it.
            pretrain["objective"] = from_schema_1(pretrain["objective"], strict=True)
    for old, new in RENAMED_KEYS.items():
        *parents, old_name = old.split(".")
        *targets, new_name = new.split(".")
        # `options` merges into its parent; every other key is renamed, at most into another part.
        for parent in [p for p in _matching(upgraded, parents) if old_name in p]:
            value = parent.pop(old_name)
            if len(targets) < len(parents):
                parent.update(value)
            elif targets == parents:
                parent[new_name] = value
            else:
                upgraded.setdefault(targets[0], {})[new_name] = value
    if upgraded.get("runs") == {}:
        del upgraded["runs"]
    for (key, old_value), new_value in RENAMED_VALUES.items():
        if upgraded.get(key) == old_value:
            upgraded[key] = new_value
    return upgraded


def _matching(values: dict[str, Any], pattern: list[str]) -> Iterator[dict[str, Any]]:
    """The dictionaries at a dotted key, where * is any name."""
    if not pattern:
        yield values
        return
    head, *rest = pattern
    for name in list(values) if head == "*" else [head]:
        if isinstance(values.get(name), dict):
            yield from _matching(values[name], rest)
