"""From files and command line to a checked `Config`, and from a `Config` to what explains it.

Hydra composes the groups under `configs/` over the dataclasses' own defaults; pydantic converts
the result back, since OmegaConf's structured configs know neither `Literal` nor `slots`. A wrong
type, an unknown key or a refused value ends the command before anything starts.
"""

import dataclasses
import difflib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints, overload

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from handssl.errors import ConfigError
from search.config.schema import Config

CONFIG_DIR = Path(__file__).resolve().parents[2] / "configs"

T = TypeVar("T")

_OPEN = (
    "trial.pretrain.magnitudes",
    "trial.pretrain.objective.options",
    "search.objectives",
    "search.space",
    "transfer.pretrained",
    "transfer.rows",
)
"""Mappings whose keys are the user's choice (Hydra would want a + before each); null drops one."""


@overload
def compose_config(overrides: Sequence[str] = (), name: str = "grid") -> Config: ...
@overload
def compose_config(overrides: Sequence[str], name: str, schema: type[T]) -> T: ...
def compose_config(
    overrides: Sequence[str] = (), name: str = "grid", schema: type[Any] = Config
) -> Any:
    """Compose `configs/<name>.yaml` and command-line overrides over the defaults; check it.

    Args:
        overrides: Of the command line.
        name: Of the file.
        schema: The dataclass whose defaults it changes, and which checks them.

    Raises:
        ConfigError: An unknown key or group member, a wrong type, or a refused value.
    """
    ConfigStore.instance().store(name="defaults", node=plain(schema()))
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            composed = compose(name, overrides=[_opened(own) for own in overrides])
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_one_line(error, schema)) from error
    found = cast("dict[str, Any]", values)
    for key in _OPEN:
        _leave_out_nulls(found, key)
    pretrain = found.get("trial", {}).get("pretrain", {})
    if isinstance(pretrain.get("magnitudes"), Mapping):
        pretrain["magnitudes"] = dict(dotted(pretrain["magnitudes"]))
    return typed(schema, found)


def _opened(override: str) -> str:
    """An override that may add to one of the open mappings, as well as replace."""
    inside = any(re.match(rf"{re.escape(key)}(\.[^=]*)?=", override) for key in _OPEN)
    return f"++{override}" if inside else override


def _leave_out_nulls(values: dict[str, Any], key: str) -> None:
    for part in key.split("."):
        values = values.get(part) or {}
    for name in [name for name, value in values.items() if value is None]:
        del values[name]


def dotted(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted key, whether they were written nested or dotted."""
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _one_line(error: BaseException, schema: type[Any]) -> str:
    """Hydra explains in paragraphs and chains; the lines that name the key are enough."""
    unknown = re.search(r"Could not override '([^']+)'", str(error))
    if unknown:
        near = difflib.get_close_matches(unknown[1], [o.key for o in options(schema())], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{unknown[1]} is no key of the configuration; {hint}--help lists them all"
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines += [line.strip() for line in str(cause).splitlines()]
        cause = cause.__cause__
    noise = ("object_type", "reference_type", "full_key", "Set the env")
    useful = [line for line in lines if line and not line.startswith(noise)]
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        useful.insert(0, f"{error.full_key} must be given")
    return "; ".join(line.rstrip(".") for line in dict.fromkeys(useful))


def typed(cls: type[T], values: Mapping[str, Any]) -> T:
    """Values as an instance of a (nested) dataclass.

    Raises:
        ConfigError: Naming the key, its value and what would be accepted.
    """
    _refuse_unknown(cls, values, "")
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # from a __post_init__: its text says it all
            raise ConfigError(str(first["ctx"]["error"])) from error
        key = ".".join(str(part) for part in first["loc"])
        problem = first["msg"][0].lower() + first["msg"][1:]
        raise ConfigError(f"{key}: {problem}, but got {key}={first['input']!r}") from error


def _refuse_unknown(cls: Any, values: Mapping[str, Any], prefix: str) -> None:
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    for key, value in values.items():
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise ConfigError(
                f"{prefix}{key} is no key{hint} (valid here: {', '.join(names)}), but got "
                f"{key}={value!r}"
            )
        if get_origin(hints[key]) is Mapping and isinstance(value, Mapping):
            member = get_args(hints[key])[1]
            for name, own in value.items():
                if dataclasses.is_dataclass(member) and isinstance(own, Mapping):
                    _refuse_unknown(member, own, f"{prefix}{key}.{name}.")
            continue
        for candidate in (hints[key], *get_args(hints[key])):
            if dataclasses.is_dataclass(candidate) and isinstance(value, Mapping):
                _refuse_unknown(candidate, value, f"{prefix}{key}.")


def plain(config: Any) -> dict[str, Any]:
    """A dataclass as JSON-ready dictionaries and lists: the inverse of `typed`."""

    def convert(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: convert(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {str(key): convert(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [convert(item) for item in value]
        return value

    return cast("dict[str, Any]", convert(config))


class Option(NamedTuple):
    """One key of the configuration, as `--help` and `--cfg job` show it."""

    key: str
    value: str
    meaning: str


def options(config: Any, prefix: str = "") -> Iterator[Option]:
    """Every key with its value and its meaning, groups depth first."""
    hints = get_type_hints(type(config))
    meanings = _attributes(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from options(value, f"{prefix}{field.name}.")
            continue
        meaning = meanings.get(field.name, "")
        choices = [str(choice) for choice in get_args(hints[field.name])]
        if "Literal" in str(hints[field.name]):
            meaning += f" [{'|'.join(choices)}]"
        yield Option(f"{prefix}{field.name}", _written(value), meaning)


def _attributes(cls: type) -> dict[str, str]:
    """The `Attributes` section of a docstring, by name."""
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        start = re.fullmatch(r" {4}(\w+): (.*)", line)
        if start:
            name = start[1]
            found[name] = start[2]
        elif line.startswith(" " * 8) and name:
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return found


def _written(value: Any) -> str:
    """A value the way YAML's flow style and the command line write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(v)}" for key, v in value.items()) + "}"
    return str(value) or "''"
