"""From the files under `configs/` and the command line to a checked configuration.

Hydra composes the groups over the dataclasses' defaults. A wrong type, an unknown key or a refused
value ends the command before anything starts.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast, overload

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from handssl.errors import ConfigError
from handssl.records import flatten
from search.config.renamed import check_renamed
from search.config.schema import Config
from search.config.typed import from_dict, to_dict, unknown_key

CONFIG_DIR: Final = Path(__file__).resolve().parents[2] / "configs"

GROUPS: Final = ("cluster", "data", "fidelity", "search", "study")
"""Folders of `configs/` that hold Hydra groups; the others hold files for other programs."""

T = TypeVar("T")

_OPEN: Final = (
    "trial.pretrain.magnitudes",
    "trial.pretrain.objective",
    "search.objectives",
    "search.space",
    "transfer.pretrained",
    "transfer.rows",
)
"""Mappings to which an override may add keys, without Hydra's +; null drops a key."""


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
        schema: The dataclass of the result.

    Raises:
        ConfigError: An unknown or renamed key or group member, a wrong type, or a refused value.

    Example:
        >>> compose_config(["study.images=400", "search=tpe"]).search.kind
        'tpe'
    """
    overrides = [re.sub(r"^(search\.(second_)?metric)=(?=\w)", r"\1.name=", o) for o in overrides]
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        check_renamed(key, value)
    defaults = to_dict(schema())
    ConfigStore.instance().store(name="defaults", node=defaults)
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            composed = compose(name, overrides=[_opened(override) for override in overrides])
        container = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_one_line(error, defaults)) from error
    values = cast("dict[str, Any]", container)
    for key in flatten(values):
        check_renamed(key)
    for key in _OPEN:
        _drop_nulls(values, key)
    pretrain = values.get("trial", {}).get("pretrain", {})
    if isinstance(pretrain.get("magnitudes"), Mapping):
        pretrain["magnitudes"] = flatten(pretrain["magnitudes"])
    return from_dict(schema, values)


def _opened(override: str) -> str:
    """An override that may add to one of the open mappings, as well as replace."""
    inside = any(re.match(rf"{re.escape(key)}(\.[^=]*)?=", override) for key in _OPEN)
    return f"++{override}" if inside else override


def _drop_nulls(values: dict[str, Any], key: str) -> None:
    for part in key.split("."):
        values = values.get(part) or {}
    for name in [name for name, value in values.items() if value is None]:
        del values[name]


def _one_line(error: BaseException, defaults: Mapping[str, Any]) -> str:
    """The lines of Hydra's error that name the key."""
    if "Could not override" in str(error):
        named = re.search(r"full_key: (\S+)", _chain(error)) or re.search(r"'(\S+)'", str(error))
        assert named is not None
        problem = unknown_key(named[1], flatten(defaults))
        return f"{problem}{'' if problem.endswith('?') else ';'} --help lists all keys"
    ambiguous = re.search(r"Ambiguous value for argument '([^=]+)=(.*)'", str(error))
    if ambiguous:
        key, value = ambiguous.groups()
        return (
            f"{key} must be a quoted text or a list where it has a comma, but got {key}={value}; "
            f"write '{key}=\"{value}\"' or '{key}=[{value}]'"
        )
    lines = [line.strip() for line in _chain(error).splitlines()]
    noise = ("object_type", "reference_type", "full_key", "Set the env", "See https://")
    useful = [line for line in lines if line and not line.startswith(noise)]
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        useful.insert(0, f"{error.full_key} must be given")
    if "input" in str(error) and isinstance(error, OverrideParseException):
        useful.append("a text with brackets, braces or quotes is written 'KEY=\"TEXT\"'")
    return "; ".join(line.rstrip(".") for line in dict.fromkeys(useful))


def _chain(error: BaseException) -> str:
    """The texts of an error and its causes."""
    return str(error) + (f"\n{_chain(error.__cause__)}" if error.__cause__ else "")
