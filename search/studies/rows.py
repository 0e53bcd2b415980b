"""From the rows that are asked for to the runs that make them: pretrainings, and fits on them."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from handssl.augment import Composition
from handssl.data import Store, join_stores
from handssl.encoders import EncoderConfig
from handssl.errors import ConfigError
from handssl.evaluation import FinetuneConfig, ProbeConfig
from handssl.evaluation.probe import with_labels
from handssl.objectives import ObjectiveConfig
from handssl.records import canonical_hash, flatten, seed_from
from handssl.training import PretrainConfig
from search.config.transfer import RowGroup, TransferStudyConfig
from search.config.typed import from_dict, to_dict
from search.observers.optuna_study import ParametersOf
from search.space.sample import Point
from search.trials.job import Planned
from search.trials.resolve import Trial, set_key


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """A pretraining that rows need.

    Attributes:
        trial: What is run.
        data: The data sets that are joined for it.
        transfer: What its record says of it.
    """

    trial: Trial
    data: tuple[str, ...]
    transfer: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A row of a table with one seed: an encoder fitted to a data set, evaluated on some.

    Attributes:
        id, hash, point, stage: As of a trial.
        seed: The same for all rows with the same data to fit and the same repeat, so that they
            see the same labels, and differences between them are paired.
        pretraining: Id of the pretraining that it starts from, if it does.
        evaluate: Data sets that it is evaluated on; the first one's metrics are the record's.
        finetune: How it is trained; None where it is probed. Its encoder's weights are `random`
            or `imagenet`, or to be replaced by the pretraining's.
        probe: How it is probed; None where it is trained.
        settings: What its record says was run.
        transfer: Its data sets and mode, for the record.
    """

    id: str
    hash: str
    seed: int
    point: Point
    stage: int = 1
    pretraining: str | None
    fit: str
    evaluate: tuple[str, ...]
    finetune: FinetuneConfig | None
    probe: ProbeConfig | None
    settings: Mapping[str, Any]
    transfer: Mapping[str, Any]

    @property
    def encoder(self) -> EncoderConfig:
        """Architecture, and what it starts from where that is no pretraining."""
        return from_dict(EncoderConfig, self.settings["encoder"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All runs of a study, each once, in the order in which they are best run."""

    pretrainings: tuple[Pretraining, ...]
    fits: tuple[Fit, ...]

    @property
    def trials(self) -> list[Planned]:
        """All of them."""
        return [*(own.trial for own in self.pretrainings), *self.fits]


def joined(
    stores: Mapping[str, Store], names: Sequence[str], shares: Mapping[str, float]
) -> Store:
    """The data sets of a pretraining as one store."""
    if len(names) == 1:
        return stores[names[0]]
    return join_stores(
        [stores[name] for name in names],
        weights=[shares[name] for name in names] if shares else None,
    )


def plan_rows(config: TransferStudyConfig, stores: Mapping[str, Store]) -> Plan:
    """Every run that the configured rows need.

    Args:
        config: The study.
        stores: Its data sets by name, cut to `study.images`.

    Raises:
        ConfigError: No row is configured, or values make no valid run.
    """
    if not config.transfer.rows:
        raise ConfigError(
            "transfer.rows must name at least one group, but got {}; choose study=tables or "
            "another file of configs/study/ that has rows"
        )
    pretrainings: dict[str, Pretraining] = {}
    wanted: dict[str, _Row] = {}
    for group in config.transfer.rows.values():
        for row in _rows(config, group):
            known = wanted.get(row.key)
            wanted[row.key] = row if known is None else known.also_on(row.evaluate)
    fits = []
    for row in wanted.values():
        pretraining = None
        if row.start in config.transfer.pretrained:
            pretraining = _pretraining(config, row, stores)
            pretrainings.setdefault(pretraining.trial.hash, pretraining)
        fits.append(_fit(config, row, pretraining, stores))
    return Plan(pretrainings=tuple(pretrainings.values()), fits=tuple(fits))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    encoder: str
    pretrain: tuple[str, ...]
    start: str
    mode: str
    fit: str
    evaluate: tuple[str, ...]
    label_fraction: float
    layer_decay: float
    repeat: int

    @property
    def key(self) -> str:
        """What it is, wherever it is evaluated."""
        values = to_dict(self)
        del values["evaluate"]
        if self.start in ("random", "imagenet"):
            del values["pretrain"]
        return canonical_hash(values)

    def also_on(self, names: tuple[str, ...]) -> "_Row":
        both = dict.fromkeys((*self.evaluate, *names))
        return dataclasses.replace(self, evaluate=tuple(both))


def _rows(config: TransferStudyConfig, group: RowGroup) -> Iterator[_Row]:
    floors = [name for name in group.baselines if name == "random" or config.transfer.imagenet]
    starts: list[tuple[str, str, float]] = []
    if "supervised" in group.modes:
        starts.append(("random", "supervised", 1.0))
    starts += [(name, "frozen", 1.0) for name in floors]
    for name in group.pretrained:
        starts += [(name, "frozen", 1.0)] if "frozen" in group.modes else []
    for name in [*group.pretrained, *(own for own in floors if own != "random")]:
        if "unfrozen" in group.modes:
            starts += [(name, "unfrozen", decay) for decay in group.layer_decays]
    for repeat in range(group.repeats):
        for fit in group.fit:
            for fraction in group.label_fractions:
                for start, mode, decay in starts:
                    yield _Row(
                        encoder=config.transfer.encoders[group.encoder].name,
                        pretrain=group.pretrain,
                        start=start,
                        mode=mode,
                        fit=fit,
                        evaluate=group.evaluate,
                        label_fraction=fraction,
                        layer_decay=decay,
                        repeat=repeat,
                    )


def _pretraining(
    config: TransferStudyConfig, row: _Row, stores: Mapping[str, Store]
) -> Pretraining:
    kind = config.transfer.pretrained[row.start]
    plan = next(p for p in config.transfer.encoders.values() if p.name == row.encoder)
    repeat = row.repeat % config.transfer.pretrain_repeats
    values = to_dict(config.trial.pretrain)
    values["encoder"]["name"] = row.encoder
    values["composition"] = Composition.parse(kind.composition).label
    values["epochs"] = config.study.epochs
    for key in ("batch_size", "accumulation"):
        values[key] = getattr(plan, key) or values[key]
    try:
        own = from_dict(ObjectiveConfig, values["objective"] | dict(kind.objective))
        values["objective"] = to_dict(own)
        for key, value in flatten(kind.pretrain).items():
            set_key(values, key, value)
        pretrain = from_dict(PretrainConfig, values)
    except ConfigError as error:
        raise ConfigError(f"transfer.pretrained.{row.start}: {error}") from error
    decides = to_dict(pretrain)
    del decides["checkpoint_every"]
    digest = canonical_hash(
        {
            "pretrain": decides,
            "probe": to_dict(config.trial.probe),
            "data": joined(stores, row.pretrain, config.transfer.weights).fingerprint,
            "images": config.study.images,
            "seed": config.study.seed,
            "repeat": repeat,
        }
    )
    data = "+".join(row.pretrain)
    transfer = {"pretrain": data, "mode": "pretrain", "shares": dict(config.transfer.weights)}
    return Pretraining(
        trial=Trial(
            id=f"pretrain_{row.start}_{row.encoder}_{data}_r{repeat}_{digest[:8]}",
            hash=digest,
            seed=seed_from(digest),
            point=Point(
                objective=row.start,
                composition=pretrain.composition,
                values=(("encoder", row.encoder), ("pretrain", data), ("mode", "pretrain")),
                repeat=repeat,
            ),
            pretrain=pretrain,
        ),
        data=row.pretrain,
        transfer=transfer,
    )


def _fit(
    config: TransferStudyConfig,
    row: _Row,
    pretraining: Pretraining | None,
    stores: Mapping[str, Store],
) -> Fit:
    seed = seed_from(config.study.seed, stores[row.fit].fingerprint, row.repeat)
    weights = "random" if pretraining else row.start
    transfer: dict[str, Any] = {
        "pretrain": pretraining.transfer["pretrain"] if pretraining else row.start,
        "fit": row.fit,
        "evaluate": list(row.evaluate),
        "split": config.transfer.evaluate_on,
        "mode": row.mode,
        "label_fraction": row.label_fraction,
        "layer_decay": row.layer_decay,
    }
    settings: dict[str, Any] = {
        "encoder": {"name": row.encoder, "weights": weights},
        "images": config.study.images,
    }
    finetune = probe = None
    if row.mode == "frozen":
        probe = dataclasses.replace(config.trial.probe, label_fraction=row.label_fraction)
        settings["probe"] = to_dict(probe)
    else:
        finetune = _finetune(config, row, weights, stores, seed)
        settings["finetune"] = to_dict(finetune)
        del settings["finetune"]["checkpoint_every"]
    if pretraining:
        settings["objective"] = to_dict(pretraining.trial.pretrain.objective)
        settings["composition"] = pretraining.trial.pretrain.composition
        settings["pretrain"] = to_dict(pretraining.trial.pretrain)
    digest = canonical_hash(
        {
            **settings,
            "transfer": transfer,
            "start": pretraining.trial.hash if pretraining else row.start,
            "data": [stores[name].fingerprint for name in (row.fit, *row.evaluate)],
            "seed": seed,
            "repeat": row.repeat,
        }
    )
    shown = "supervised" if row.mode == "supervised" else row.start
    values = {k: v for k, v in transfer.items() if k not in ("evaluate", "split")}
    values |= {"encoder": row.encoder, "evaluate": "+".join(row.evaluate)}
    mode = "" if row.mode == shown else f"_{row.mode}"
    decay = "" if row.layer_decay == 1 else f"_decay{row.layer_decay:g}"
    return Fit(
        id=f"{shown}{mode}_{row.encoder}_{row.fit}_{row.label_fraction:g}{decay}_r{row.repeat}"
        f"_{digest[:8]}",
        hash=digest,
        seed=seed,
        point=Point(
            objective=shown,
            composition=pretraining.trial.point.composition if pretraining else "",
            values=tuple(sorted(values.items())),
            repeat=row.repeat,
        ),
        pretraining=pretraining.trial.id if pretraining else None,
        fit=row.fit,
        evaluate=row.evaluate,
        finetune=finetune,
        probe=probe,
        settings=settings,
        transfer=transfer,
    )


def _finetune(
    config: TransferStudyConfig, row: _Row, weights: str, stores: Mapping[str, Store], seed: int
) -> FinetuneConfig:
    base = config.transfer.finetune
    rows = len(with_labels(stores[row.fit].split("train"), row.label_fraction, seed))
    steps_an_epoch = max(1, (rows + base.batch_size - 2) // base.batch_size)
    epochs = max(base.epochs, math.ceil(config.transfer.min_steps / steps_an_epoch))
    return dataclasses.replace(
        base,
        mode=row.mode,
        encoder=EncoderConfig(name=row.encoder, weights=weights),
        label_fraction=row.label_fraction,
        layer_decay=row.layer_decay,
        size_px=config.trial.pretrain.size_px,
        epochs=epochs,
        # Many short epochs need no more checkpoints than few long ones.
        checkpoint_every=max(base.checkpoint_every, epochs // base.epochs),
    )


def parameters_among(trials: Sequence[Planned]) -> ParametersOf:
    """How the Optuna study shows these runs: by objective, and by whatever else tells them apart.

    A run of none of their values is no part of the study as it is now.
    """
    points = [trial.point for trial in trials]
    choices: dict[str, set[Any]] = {"objective": {point.objective for point in points}}
    for point in points:
        for key, value in point.values:
            choices.setdefault(key, set()).add(value)
    distributions = {
        key: CategoricalDistribution(sorted(values, key=str)) for key, values in choices.items()
    }

    def of(point: Point) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        values = {"objective": point.objective, **dict(point.values)}
        for key, value in values.items():
            if value not in choices.get(key, ()):
                raise ValueError(f"no run has {key}={value}")
        return values, {key: distributions[key] for key in values}

    return of
