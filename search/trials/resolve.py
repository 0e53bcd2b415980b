"""From points to trials: everything that decides a trial's numbers, resolved."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from handssl.errors import ConfigError
from handssl.objectives import ObjectiveConfig
from handssl.records import canonical_hash, flatten, seed_from
from handssl.training import PretrainConfig
from search.config.schema import Config
from search.config.typed import from_dict, to_dict
from search.space.sample import Point


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run, fully determined.

    Attributes:
        id: Name of its folder: readable, unique in the study, the same in every run of it.
        hash: Identity of what it computes: configuration, data, study's seed and repeat.
        seed: Derived from the hash, so that no two trials share one (D9).
        point: Where in the search space it stands.
        pretrain: Resolved configuration of the pretraining.
        stage: 1 for the search, 2 for the best points run again.
    """

    id: str
    hash: str
    seed: int
    point: Point
    pretrain: PretrainConfig
    stage: int = 1


def resolve(config: Config, point: Point, fingerprint: str, *, stage: int = 1) -> Trial:
    """The trial that runs a point on the data with this fingerprint.

    The hash covers all that decides the numbers and nothing else: workers, devices and folders are
    left out, since the same trial elsewhere is the same trial.

    Raises:
        ConfigError: The point's values make no valid configuration.
    """
    values = to_dict(config.trial.pretrain)
    values["composition"] = point.composition
    values["epochs"] = config.study.epochs
    overrides = dict(config.search.objectives[point.objective])
    others = overrides.pop("pretrain", {})
    try:
        values["objective"] = to_dict(from_dict(ObjectiveConfig, values["objective"] | overrides))
    except ConfigError as error:
        raise ConfigError(f"search.objectives.{point.objective}: {error}") from error
    for key, value in (*flatten(others).items(), *point.values):
        set_key(values, key, value)
    pretrain = from_dict(PretrainConfig, values)
    decides = to_dict(pretrain)
    del decides["checkpoint_every"]
    identity = {
        "pretrain": decides,
        "probe": to_dict(config.trial.probe),
        "data": fingerprint,
        "images": config.study.images,
        "seed": config.study.seed,
        "repeat": point.repeat,
    }
    digest = canonical_hash(identity)
    composition = point.composition.translate(str.maketrans("+:/", "-=~"))
    return Trial(
        id=f"{point.objective}_{composition}_r{point.repeat}_{digest[:8]}",
        hash=digest,
        seed=seed_from(digest),
        point=point,
        pretrain=pretrain,
        stage=stage,
    )


def resolve_all(
    config: Config, points: Iterable[Point], fingerprint: str, *, stage: int = 1
) -> list[Trial]:
    """`resolve` for each point; points that turn out to be the same trial are one."""
    trials = (resolve(config, point, fingerprint, stage=stage) for point in points)
    return list({trial.hash: trial for trial in trials}.values())


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key that must exist; a magnitude's key has a dot of its own."""
    head, _, rest = key.partition(".")
    if head == "magnitudes" and rest:
        values[head] = {**values[head], rest: value}
    elif head not in values or (rest and not isinstance(values[head], Mapping)):
        raise ConfigError(
            f"a key must be one of trial.pretrain's here ({', '.join(values)}), but got {key}"
        )
    elif rest:
        set_key(values[head], rest, value)
    else:
        values[head] = value


def point_from(values: Mapping[str, Any]) -> Point:
    """A point as `to_dict` wrote it into a record."""
    pairs = tuple((str(key), value) for key, value in values["values"])
    return Point(**{**values, "values": pairs})
