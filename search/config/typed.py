"""Between dataclasses and JSON-ready dictionaries; the keys and the overrides of objectives.

pydantic converts the values, since OmegaConf's structured configurations know neither `Literal`
nor `slots`.
"""

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from handssl.errors import ConfigError
from handssl.objectives import OBJECTIVE_CONFIGS, ObjectiveConfig, config_class, from_schema_1
from search.config.renamed import check_renamed

T = TypeVar("T")

_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}
"""pydantic's names of the bounds that stand beside a field."""


def from_dict(cls: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Values as an instance of a (nested) dataclass; `prefix` begins the keys of messages.

    Raises:
        ConfigError: Naming the key, its value and the valid ones.

    Example:
        >>> from handssl.training import OptimizerConfig
        >>> from_dict(OptimizerConfig, {"name": "lamb", "base_lr": "0.001"}).base_lr
        0.001
    """
    kind: Any = cls
    if kind is ObjectiveConfig:
        values = from_schema_1(values)
        kind = config_class(values.get("name", "contrastive"))
    prepared = _prepared(kind, values, prefix)
    try:
        return cast("T", _adapter(kind).validate_python(prepared))
    except ValidationError as error:
        raise ConfigError(_message(error, prefix)) from error


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _message(error: ValidationError, prefix: str) -> str:
    """The first problem, as "key must be > 0, but got name=-1"."""
    first = error.errors()[0]
    if first["type"] == "value_error":  # raised by a __post_init__, which names the key
        return str(first["ctx"]["error"])
    parts = [part for part in first["loc"] if isinstance(part, str)]  # no index in a list
    key, value = prefix + ".".join(parts), first["input"]
    if first["type"] in _BOUNDS:
        name, sign = _BOUNDS[first["type"]]
        return f"{key} must be {sign} {first['ctx'][name]:g}, but got {parts[-1]}={value}"
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, but got {key}={value!r}"


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as JSON-ready dictionaries and lists: the inverse of `from_dict`.

    Example:
        >>> from handssl.encoders import EncoderConfig
        >>> to_dict(EncoderConfig(name="resnet34"))
        {'name': 'resnet34', 'weights': 'random'}
    """
    return cast("dict[str, Any]", _plain(config))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def unknown_key(key: str, valid: Iterable[str]) -> str:
    """Why a dotted key is refused, with the nearest valid key or group of keys.

    Raises:
        ConfigError: The key was renamed.
    """
    check_renamed(key)
    parts = [name.split(".") for name in valid]
    names = {".".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1)}
    near = difflib.get_close_matches(key, sorted(names), n=1)
    return f"unknown key {key}" + (f"; did you mean {near[0]}?" if near else "")


def _prepared(cls: Any, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Values for pydantic, which ignores unknown keys and cannot choose an objective's class."""
    hints = get_type_hints(cls)
    valid = [field.name for field in dataclasses.fields(cls)]
    prepared: dict[str, Any] = {}
    for name, value in values.items():
        if name not in valid:
            problem = unknown_key(f"{prefix}{name}", [f"{prefix}{key}" for key in valid])
            raise ConfigError(
                f"{problem} (valid keys: {', '.join(valid)}), but got {name}={value!r}"
            )
        prepared[name] = _nested(hints[name], value, f"{prefix}{name}.")
    return prepared


def _nested(hint: Any, value: Any, prefix: str) -> Any:
    """A value whose type may be a dataclass, or a mapping of them."""
    if not isinstance(value, Mapping):
        return value
    if get_origin(hint) is Mapping:
        member = get_args(hint)[1]
        return {key: _nested(member, item, f"{prefix}{key}.") for key, item in value.items()}
    for candidate in (hint, *get_args(hint)):
        if candidate is ObjectiveConfig:
            return from_dict(candidate, value, prefix)
        if dataclasses.is_dataclass(candidate):
            return _prepared(candidate, value, prefix)
    return value


def override_objective(
    base: ObjectiveConfig, overrides: Mapping[str, Any], key: str
) -> ObjectiveConfig:
    """An objective with some values changed; another name keeps the values of keys in common.

    `key` is where the overrides are configured, such as "search.objectives.care".

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
    """Whether a dotted key of trial.pretrain means anything for an objective.

    A mixed objective has its own keys and those of the objectives that augmentations are
    assigned to.

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
