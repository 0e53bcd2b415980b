"""The study of `run_transfer.py`: pretrain each encoder once, then fit and evaluate every row.

A pretraining whose encoder was deleted runs again only if a row still needs it.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from optuna.distributions import BaseDistribution, CategoricalDistribution
from rich.console import Console

from handssl.encoders import build_encoder
from handssl.errors import ConfigError, DataError
from handssl.records import OBJECTIVE, canonical_hash
from handssl.records.uri import is_bucket, join_uri, redact
from handssl.skeleton import REFERENCE_BONE
from search.cluster.resources import check_resources
from search.config.metric import SearchMetric
from search.config.schema import DataConfig, TrialConfig
from search.config.search import SearchConfig
from search.config.transfer import RowGroup, TransferStudyConfig
from search.observers.optuna_study import ParametersOf
from search.space.point import Point
from search.studies.checks import check_first_step, check_writable
from search.studies.describe import describe
from search.studies.rows import RowResolver, Rows
from search.studies.run import run_study
from search.studies.study import Records, Session, Stage, Study, count_missing, fixed_stage
from search.trials.datasets import images_of, open_data
from search.trials.images import DataSetImages
from search.trials.pretrain import ENCODER_FILE
from search.trials.trial import Trial

_ROWS: Final = SearchConfig(metric=SearchMetric(name=OBJECTIVE))
"""Rows are not searched; their tables print the paper's metric."""


def run_transfer(
    config: TransferStudyConfig,
    *,
    console: Console,
    verbose: bool = False,
    overrides: Sequence[str] = (),
) -> int:
    """Run a transfer study; returns the exit status of the command.

    Raises:
        HandSSLError: The study cannot run; nothing has been started then.
    """
    return run_study(transfer_study(config, console, overrides), console, verbose=verbose)


def transfer_study(
    config: TransferStudyConfig, console: Console, overrides: Sequence[str] = ()
) -> Study:
    """The study of the configured rows; its data sets are built if they are missing.

    Raises:
        HandSSLError: The study cannot run.
    """
    check_resources(config.trial, config.cluster)
    if is_bucket(config.results):
        raise ConfigError(
            "results must be a folder that all machines share, but got "
            f"results={redact(config.results)}; only run_grid.py writes to a bucket"
        )
    uri = join_uri(config.results, config.study.name)
    check_writable(uri)
    names = _data_sets(config.transfer.rows.values())
    configs = {name: getattr(config.data_sets, name) for name in names}
    data = DataSetImages(
        opened={name: open_data(data_set, console) for name, data_set in configs.items()},
        images={n: images_of(data_set, config.study.images) for n, data_set in configs.items()},
        weights=config.transfer.weights,
    )
    rows = RowResolver(
        transfer=config.transfer, trial=config.trial, study=config.study, data=data
    ).resolve_all()
    check_rows(rows, data, configs)
    stores = {name: data.store_of([name]) for name in names}
    fingerprints = {name: store.fingerprint for name, store in stores.items()}
    trials = Path(uri).resolve() / "trials"
    return Study(
        config=config,
        stages=transfer_stages(rows, config.trial, trials),
        planned=rows.trials,
        stores=data.stores,
        search=_ROWS,
        parameters=parameters_among(rows.trials),
        outdated=lambda records: lost_encoders(rows, trials, records),
        description=describe(
            config,
            script="search/run_transfer.py",
            overrides=overrides,
            name="+".join(names),
            fingerprint=canonical_hash(fingerprints, digits=64),
            boxes=config.data_sets.FH.boxes,
            stores=list(stores.values()),
            encoders=list(dict.fromkeys(fit.encoder.name for fit in rows.fits)),
            trials=rows.trials,
        ),
    )


def transfer_stages(rows: Rows, resources: TrialConfig, trials: Path) -> list[Stage]:
    """The pretrainings, then the fits of their encoders.

    Fits without a pretraining share the first stage, unless its trials have several workers: a fit
    uses one. Encoders lie below the folder `trials`.
    """
    independent = [fit for fit in rows.fits if fit.pretraining is None]
    second = [fit for fit in rows.fits if fit.pretraining is not None]
    first: list[Trial] = list(rows.pretrainings)
    if resources.runs_in == "actor":
        first += independent
    else:
        second = independent + second

    def with_encoder(session: Session) -> Iterator[Trial]:
        """A failed pretraining leaves its fits undone."""
        for fit in second:
            encoder = fit.encoder_file(trials)
            if encoder is None or encoder.exists():
                yield fit

    fits = Stage(
        trials=with_encoder,
        remaining=lambda records: count_missing(second, records),
        resources=dataclasses.replace(resources, workers=1, executor="actor"),
    )
    return [fixed_stage(first, resources), fits]


def lost_encoders(rows: Rows, trials: Path, records: Records) -> set[str]:
    """Pretrainings whose encoder was deleted although a fit without a record needs it."""
    needed = {fit.pretraining for fit in rows.fits if fit.id not in records}
    return {
        trial.id
        for trial in rows.pretrainings
        if trial.id in needed and not (trials / trial.id / ENCODER_FILE).exists()
    }


def check_rows(rows: Rows, data: DataSetImages, configs: Mapping[str, DataConfig]) -> None:
    """Refuse trials that cannot take a step, or have no labels to be fitted to or evaluated on.

    Raises:
        ConfigError: A size, or weights that cannot be obtained.
        DataError: A split without labels.
    """
    for trial in rows.pretrainings:
        check_first_step([trial], data.stores[trial.images])
    needed = {(fit.fit, "train") for fit in rows.fits}
    needed |= {(name, fit.split) for fit in rows.fits for name in fit.evaluate}
    for name, split in sorted(needed):
        labelled = data.store_of([name]).split(split).valid[:, list(REFERENCE_BONE)].all(1)
        if not labelled.any():
            raise DataError(
                f"the {split} split of {name} must have labelled joints, but got none in "
                f"{configs[name].store}; check it with `handssl data doctor`"
            )
    for encoder in dict.fromkeys(fit.encoder for fit in rows.fits):
        try:
            if encoder.weights == "imagenet":
                build_encoder(encoder)
        except ConfigError as error:
            way_out = "omit these rows with transfer.imagenet=false"
            raise ConfigError(f"{error}; or {way_out}") from error


def _data_sets(groups: Iterable[RowGroup]) -> list[str]:
    """The data sets that some row needs."""
    needed: set[str] = set()
    for group in groups:
        needed |= {*group.fit, *group.evaluate, *(group.pretrain if group.pretrained else ())}
    return sorted(needed)


def parameters_among(trials: Sequence[Trial]) -> ParametersOf:
    """Optuna's parameters of these trials: the objective, and the values in which they differ.

    The function raises a ValueError for the point of another trial.
    """
    points = [trial.point for trial in trials]
    choices: dict[str, set[Any]] = {"objective": {point.objective for point in points}}
    for point in points:
        for key, value in point.values:
            choices.setdefault(key, set()).add(value)
    distributions = {
        key: CategoricalDistribution(sorted(values, key=str)) for key, values in choices.items()
    }

    def parameters(point: Point) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        values = {"objective": point.objective, **dict(point.values)}
        for key, value in values.items():
            if value not in choices.get(key, ()):
                raise ValueError(f"no trial has {key}={value}")
        return values, {key: distributions[key] for key in values}

    return parameters
