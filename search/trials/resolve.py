"""From points to trials: the configuration, the identity and the seed of a trial."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from handssl.errors import ConfigError
from handssl.evaluation import ProbeConfig
from handssl.objectives import ObjectiveConfig, hash_form
from handssl.records import canonical_hash, flatten, seed_from
from handssl.training import PretrainConfig
from search.config.schema import StudyConfig, TrialConfig
from search.config.search import EarlyStopping, SearchConfig
from search.config.typed import from_dict, override_objective, to_dict
from search.space.point import Point
from search.trials.images import Images
from search.trials.pretrain import PretrainTrial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Resolves the points of a search to trials of one stage.

    Attributes:
        objectives: Label of each objective and its overrides, `search.objectives`.
        trial: The settings that all trials share.
        study: Epochs and seed.
        images: The images of all trials.
        fingerprint: That of the images.
        rungs: Epochs, besides the last, after which the probe runs too.
        stage: Number of the stage.
    """

    objectives: Mapping[str, Mapping[str, Any]]
    trial: TrialConfig
    study: StudyConfig
    images: Images
    fingerprint: str
    rungs: tuple[int, ...] = ()
    stage: int = 1

    def resolve(self, point: Point) -> PretrainTrial:
        """The trial that runs a point.

        Raises:
            ConfigError: The point's values make no valid configuration.
        """
        overrides = dict(self.objectives[point.objective])
        fixed = {"composition": point.composition, "epochs": self.study.epochs}
        pretrain = override_pretrain(
            self.trial.pretrain,
            values=fixed | flatten(overrides.pop("pretrain", {})) | dict(point.values),
            objective=overrides,
            key=f"search.objectives.{point.objective}",
        )
        digest = pretrain_hash(
            pretrain,
            self.trial.probe,
            fingerprint=self.fingerprint,
            study=self.study,
            repeat=point.repeat,
            base=self.trial.pretrain.objective,
        )
        composition = point.composition.translate(str.maketrans("+:/", "-=~"))
        return PretrainTrial(
            id=f"{point.objective}_{composition}_r{point.repeat}_{digest[:8]}",
            hash=digest,
            seed=seed_from(digest),
            point=point,
            stage=self.stage,
            rungs=self.rungs,
            pretrain=pretrain,
            probe=self.trial.probe,
            diagnostics=self.trial.diagnostics,
            images=self.images,
            keep_encoder=self.trial.keep_encoder,
        )

    def resolve_all(self, points: Iterable[Point]) -> list[PretrainTrial]:
        """`resolve` for each point; points that give the same trial are one."""
        return list({trial.hash: trial for trial in map(self.resolve, points)}.values())


def rungs_of(search: SearchConfig, early_stopping: EarlyStopping, epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are probed: those of the search, and those of early stopping."""
    return tuple(sorted({*search.rungs, *early_stopping.rungs(epochs)}))


def override_pretrain(
    base: PretrainConfig, *, objective: Mapping[str, Any], values: Mapping[str, Any], key: str
) -> PretrainConfig:
    """A pretraining with other values of its objective and, by dotted key, of the rest.

    `key` is where the overrides are configured, for messages.

    Raises:
        ConfigError: A key does not exist, or a value is refused.
    """
    changed = to_dict(base)
    changed["objective"] = to_dict(override_objective(base.objective, objective, key))
    try:
        for name, value in values.items():
            _set_key(changed, name, value)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error
    return from_dict(PretrainConfig, changed)


def pretrain_hash(
    pretrain: PretrainConfig,
    probe: ProbeConfig,
    *,
    fingerprint: str,
    study: StudyConfig,
    repeat: int,
    base: ObjectiveConfig,
) -> str:
    """The identity of a pretraining: everything that decides its numbers, and nothing else.

    Workers, devices and folders are left out, since the same trial elsewhere is the same trial.
    `base` is the objective that was overridden, `trial.pretrain.objective`.
    """
    settings = to_dict(pretrain) | {"objective": hash_form(pretrain.objective, base)}
    del settings["checkpoint_every"]
    return canonical_hash(
        {
            "pretrain": settings,
            "probe": probe_identity(probe),
            "data": fingerprint,
            "images": study.images,
            "seed": study.seed,
            "repeat": repeat,
        }
    )


def probe_identity(probe: ProbeConfig) -> dict[str, Any]:
    """The settings of a probe that enter the identity of a trial.

    Keys that later versions added are left out at their defaults, so that a trial keeps its hash.
    """
    settings = to_dict(probe)
    added = {"lifting": "closed_form", "neighbours": []}
    return {key: value for key, value in settings.items() if added.get(key, ...) != value}


def _set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a value at an existing dotted key; the key of a magnitude contains a dot."""
    head, _, rest = key.partition(".")
    if head == "magnitudes" and rest:
        values[head] = {**values[head], rest: value}
    elif head not in values or (rest and not isinstance(values[head], Mapping)):
        raise ConfigError(
            f"a key must be one of trial.pretrain's ({', '.join(values)}), but got {key}"
        )
    elif rest:
        _set_key(values[head], rest, value)
    else:
        values[head] = value
