"""The configuration of each objective, and the flat form of schema 1 in which hashes write it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from annotated_types import Ge, Gt

from handssl.checked import OneOf, check_fields
from handssl.errors import require
from handssl.objectives.targets import TARGETS


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """Configuration of an objective; `OBJECTIVE_CONFIGS` has the class of each name.

    Attributes:
        name: Key in `OBJECTIVES`.
    """

    name: str

    def __post_init__(self) -> None:
        require(
            OBJECTIVE_CONFIGS.get(self.name) is type(self),
            f"name must be that of {type(self).__name__}, but got name={self.name!r}; use "
            "objective_config(name)",
        )
        check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveConfig(ObjectiveConfig):
    """NT-Xent on projections.

    Attributes:
        temperature: τ of NT-Xent.
        chunk_size: Anchors per block of NT-Xent, or None for all at once.
        hidden_dim: Width of the projection head's hidden layer.
        projection_dim: Dimension of the projections.
    """

    name: str = "contrastive"
    temperature: Annotated[float, Gt(0)] = 0.5
    chunk_size: Annotated[int, Ge(1)] | None = None
    hidden_dim: Annotated[int, Ge(1)] = 2048
    projection_dim: Annotated[int, Ge(1)] = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeConfig(ObjectiveConfig):
    """Regression of the relative parameters of two views.

    Attributes:
        targets: Relative targets, "standardised" or "released".
        rotation: Relative rotation as "angle" or as "sincos" (standardised targets only).
        norm: Relative error, "l1" (mean absolute) or "l2" (mean Euclidean norm per sample).
    """

    name: str = "relative"
    targets: Annotated[str, OneOf(*TARGETS)] = "standardised"
    rotation: Annotated[str, OneOf("angle", "sincos")] = "angle"
    norm: Annotated[str, OneOf("l1", "l2")] = "l1"

    def __post_init__(self) -> None:
        ObjectiveConfig.__post_init__(self)
        require(
            self.rotation == "angle" or self.targets == "standardised",
            "rotation must be angle for released targets, but got rotation=sincos; set "
            "targets=standardised",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivariantConfig(ContrastiveConfig):
    """NT-Xent on projections whose motion is undone.

    Attributes:
        equivariance: How the motion is undone, "released" or "exact".
    """

    name: str = "equivariant"
    equivariance: Annotated[str, OneOf("released", "exact")] = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class CareConfig(ContrastiveConfig):
    """NT-Xent with the orthogonality term of CARE.

    Attributes:
        weight: λ, the weight of the orthogonality term.
        chunk: Images that share their parameters.
    """

    name: str = "care"
    weight: Annotated[float | int, Ge(0)] = 0.01
    chunk: Annotated[int, Ge(2)] = 16


PartT = TypeVar("PartT", bound=ObjectiveConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedConfig(EquivariantConfig):
    """Contrastive or equivariant, and relative; an objective for each augmentation.

    Attributes:
        targets: As of relative.
        rotation: As of relative.
        norm: As of relative.
        mixture: On "separate" pairs of views (released) or on a "shared" one.
        contrastive_weighting: "constant", or "sigma" for a trainable σ.
        contrastive_weight: The constant.
    """

    name: str = "mixed"
    targets: Annotated[str, OneOf(*TARGETS)] = "standardised"
    rotation: Annotated[str, OneOf("angle", "sincos")] = "angle"
    norm: Annotated[str, OneOf("l1", "l2")] = "l1"
    mixture: Annotated[str, OneOf("separate", "shared")] = "separate"
    contrastive_weighting: Annotated[str, OneOf("constant", "sigma")] = "constant"
    contrastive_weight: Annotated[float, Ge(0)] = 1.0

    def __post_init__(self) -> None:
        ObjectiveConfig.__post_init__(self)
        self.part(RelativeConfig)

    def part(self, kind: type[PartT]) -> PartT:
        """The configuration of one of the mixed objectives."""
        names = [field.name for field in dataclasses.fields(kind) if field.name != "name"]
        return kind(**{name: getattr(self, name) for name in names})


OBJECTIVE_CONFIGS: Final[dict[str, type[ObjectiveConfig]]] = {
    "contrastive": ContrastiveConfig,
    "relative": RelativeConfig,
    "equivariant": EquivariantConfig,
    "mixed": MixedConfig,
    "care": CareConfig,
}
"""The configuration class of each key of `OBJECTIVES`."""

_SCHEMA_1: Final[Mapping[str, Any]] = {
    **dataclasses.asdict(MixedConfig()),
    "name": "contrastive",
    "options": {},
}
"""Schema 1 wrote all fields of all objectives, with these defaults; `options` held care's."""


def config_class(name: str) -> type[ObjectiveConfig]:
    """The configuration class of an objective.

    Raises:
        ConfigError: An unknown name.
    """
    require(
        name in OBJECTIVE_CONFIGS,
        f"objective.name must be one of {', '.join(OBJECTIVE_CONFIGS)}, but got name={name!r}",
    )
    return OBJECTIVE_CONFIGS[name]


def objective_config(name: str = "contrastive", **values: Any) -> ObjectiveConfig:
    """The configuration of an objective by its name.

    Raises:
        ConfigError: An unknown name, a key that the objective does not have, or a refused value.

    Example:
        >>> objective_config("care", chunk=4).chunk
        4
    """
    kind = config_class(name)
    valid = [field.name for field in dataclasses.fields(kind)]
    for key, value in values.items():
        require(
            key in valid,
            f"objective.{key} must be a key of {name} ({', '.join(valid)}), but got "
            f"{key}={value!r}",
        )
    return kind(**values)


def hash_form(config: ObjectiveConfig, base: ObjectiveConfig | None = None) -> dict[str, Any]:
    """The flat dictionary that hashes, and so seeds, of trials are computed from.

    Schema 1 wrote all fields of all objectives, those of the others with the values of the
    objective that was overridden; hashes and seeds depend on it.

    Args:
        config: The objective.
        base: The objective that it overrides, `trial.pretrain.objective` of a search.
    """
    flat = dict(_SCHEMA_1)
    for layer in (base, config):
        if layer is not None:
            flat |= {k: v for k, v in dataclasses.asdict(layer).items() if k in _SCHEMA_1}
    if isinstance(config, CareConfig):
        options, defaults = {"chunk": config.chunk, "weight": config.weight}, CareConfig()
        flat["options"] = {k: v for k, v in options.items() if v != getattr(defaults, k)}
    return flat


def from_schema_1(values: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """An objective's dictionary, without the fields of other objectives if it is of schema 1.

    Args:
        values: The dictionary; any that lacks a key of schema 1 is returned as it is.
        strict: Keep the fields of other objectives that differ from their defaults.
    """
    if not _SCHEMA_1.keys() <= values.keys():
        return dict(values)
    fields = {field.name for field in dataclasses.fields(config_class(values["name"]))}
    reduced = {
        key: value
        for key, value in values.items()
        if key in fields or (strict and key != "options" and value != _SCHEMA_1[key])
    }
    return reduced | dict(values["options"])
