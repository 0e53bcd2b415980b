"""A transfer study from start to end: pretrain each encoder once, fit and evaluate every row.

Resuming is running the same command again, as for a grid; a pretraining whose encoder was deleted
is run again only if a row still needs it.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from handssl import records
from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.errors import ConfigError, DataError
from handssl.skeleton import REFERENCE_BONE
from search.cluster.tune import run_jobs
from search.config.schema import Config, DataConfig
from search.config.transfer import TransferStudyConfig
from search.observers.watch import StudyWatch
from search.storage.folder import Folder, everywhere, mirrored
from search.storage.s3 import is_bucket, join, shown
from search.studies.checks import (
    check_fits,
    check_resources,
    check_writable,
    describe_plan,
    shown_config,
    without_passwords,
)
from search.studies.rows import Fit, Plan, Pretraining, joined, parameters_among, plan_rows
from search.studies.study import StudyRun, run_held
from search.studies.transfer_plan import print_plan
from search.trials.datasets import open_data
from search.trials.fit import ENCODER_FILE, FitJob, Images, PretrainJob
from search.trials.job import Job


def run_transfer(
    config: TransferStudyConfig,
    *,
    console: Console,
    verbose: bool = False,
    overrides: Sequence[str] = (),
) -> int:
    """Run a transfer study and return the exit status of the command.

    Args:
        config: The checked configuration.
        console: Where progress goes.
        verbose: Whether Ray's own messages are shown.
        overrides: The command line, for the record.

    Raises:
        HandSSLError: Whatever must be put right first; nothing has been started then.
    """
    machinery = config.machinery()
    check_resources(machinery)
    if is_bucket(config.results):
        raise ConfigError(
            "results must be a folder that all machines share, but got "
            f"results={shown(config.results)}; a bucket takes the studies of run_grid.py alone"
        )
    place = join(config.results, config.study.name)
    check_writable(place)
    home = mirrored(place)
    folder = home.local
    stores = _open_all(config, console)
    plan = plan_rows(config, stores)
    _check_rows(config, plan, stores)
    if config.plan:
        print_plan(config, plan, stores, records.read_records(folder), console)
        return 0
    study = _describe(config, plan, stores, overrides)

    def run() -> int:
        own = _TransferRun(
            machinery, config=config, plan=plan, home=home, study=study, console=console
        )
        return own.to_the_end(verbose=verbose)

    return run_held(home, study, run, console)


def _open_all(config: TransferStudyConfig, console: Console) -> dict[str, Store]:
    """The data sets that some row needs."""
    groups = config.transfer.rows.values()
    needed = {name for own in groups for name in (*own.fit, *own.evaluate)}
    needed |= {name for own in groups if own.pretrained for name in own.pretrain}
    stores = {}
    for name in sorted(needed):
        store = open_data(_data(config, name), console)
        stores[name] = store if config.study.images is None else store.take(config.study.images)
    return stores


def _data(config: TransferStudyConfig, name: str) -> DataConfig:
    own: DataConfig = getattr(config.data_sets, name)
    return own


def _check_rows(config: TransferStudyConfig, plan: Plan, stores: Mapping[str, Store]) -> None:
    """Refuse runs that could not take a step, or have nothing to be fitted to or judged by."""
    for own in plan.pretrainings:
        check_fits([own.trial], joined(stores, own.data, config.transfer.weights))
    needed = {(fit.fit, "train") for fit in plan.fits}
    needed |= {(name, config.transfer.evaluate_on) for fit in plan.fits for name in fit.evaluate}
    for name, split in sorted(needed):
        if not stores[name].split(split).valid[:, list(REFERENCE_BONE)].all(1).any():
            raise DataError(
                f"the {split} split of {name} must have labelled joints, but got none in "
                f"{_data(config, name).store}; check it with `handssl data doctor`"
            )
    for fit in plan.fits:
        if fit.encoder.weights == "imagenet":
            try:
                build_encoder(fit.encoder)
            except ConfigError as error:
                raise ConfigError(
                    f"{error}; or leave those rows out with transfer.imagenet=false"
                ) from error


def _describe(
    config: TransferStudyConfig,
    plan: Plan,
    stores: Mapping[str, Store],
    overrides: Sequence[str],
) -> dict[str, Any]:
    """study.json, as that of a grid."""
    pretrain = config.trial.pretrain
    encoders = dict.fromkeys(fit.encoder.name for fit in plan.fits)
    return {
        "schema": records.SCHEMA,
        "name": config.study.name,
        "command": " ".join(["python search/run_transfer.py", *without_passwords(overrides)]),
        "created_at": records.now(),
        "fidelity": {
            "label": config.study.label,
            "evidence": config.study.evidence,
            "images": sum(map(len, stores.values())),
            "epochs": config.study.epochs,
            "size_px": pretrain.size_px,
            "batch_size": pretrain.batch_size,
            "encoder": ", ".join(encoders),
        },
        "data": {
            "name": "+".join(stores),
            "fingerprint": records.canonical_hash(
                {name: store.fingerprint for name, store in stores.items()}, digits=64
            ),
            "images_train": sum(len(store.split("train")) for store in stores.values()),
            "images_val": sum(len(store.split("val")) for store in stores.values()),
            "boxes": config.data_sets.FH.boxes,
        },
        "versions": records.versions(),
        "git": records.git_state(),
        "plan": describe_plan(plan.trials),
        "config": shown_config(config, config.search.storage, "search"),
    }


def _forget_lost_encoders(folder: Path, plan: Plan) -> None:
    """Delete the records of pretrainings whose encoder is gone and still needed by some row."""
    existing = records.read_records(folder)
    needed = {fit.pretraining for fit in plan.fits if fit.id not in existing}
    for own in plan.pretrainings:
        trial = folder / "trials" / own.trial.id
        if own.trial.id in needed and not (trial / ENCODER_FILE).exists():
            (trial / "record.json").unlink(missing_ok=True)


class _TransferRun(StudyRun):
    """First the pretrainings and what needs none of them, then the rows that do."""

    def __init__(
        self,
        machinery: Config,
        *,
        config: TransferStudyConfig,
        plan: Plan,
        home: Folder,
        study: Mapping[str, Any],
        console: Console,
    ) -> None:
        self._plan = plan
        self._transfer = config
        _forget_lost_encoders(home.local, plan)
        super().__init__(
            machinery,
            home=home,
            study=study,
            console=console,
            parameters=parameters_among(plan.trials),
            compares=False,
        )

    def _encoder(self, pretraining: str) -> Path:
        return (self._folder / "trials" / pretraining / ENCODER_FILE).resolve()

    def _to_do(self, trial: str) -> bool:
        return trial not in self._finished

    def _total(self) -> int:
        return len(self._plan.trials)

    def _left(self) -> int:
        return sum(self._to_do(own.id) for own in self._plan.trials)

    def _stage_one(self) -> Iterator[Any]:
        yield from (own for own in self._plan.pretrainings if self._to_do(own.trial.id))
        if self._config.trial.runs_in == "actor":
            yield from self._independent()

    def _independent(self) -> Iterator[Fit]:
        return (fit for fit in self._plan.fits if not fit.pretraining and self._to_do(fit.id))

    def _stage_two(self) -> Iterator[Any]:
        """Rows whose encoder is there; a pretraining that failed leaves its rows undone."""
        yield from self._independent()
        for fit in self._plan.fits:
            if fit.pretraining and self._to_do(fit.id) and self._encoder(fit.pretraining).exists():
                yield fit

    def _run(self, trials: Iterator[Any], watch: StudyWatch, *, stops: bool) -> bool:
        """Pretrainings as configured; rows on one worker, which is all that they can use."""
        config = self._config
        if not stops:  # the second stage
            own = dataclasses.replace(config.trial, workers=1, executor="actor")
            config = dataclasses.replace(config, trial=own)
        jobs = (self._job(trial, may_stop=False) for trial in trials)
        return run_jobs(config, jobs, watch, everywhere(str(self._folder / "ray")), stops=False)

    def _job(self, trial: Any, *, may_stop: bool) -> Job:
        own = trial.trial if isinstance(trial, Pretraining) else trial
        common: dict[str, Any] = {
            "metric": self._config.search.metric,
            "directory": str((self._folder / "trials" / own.id).resolve()),
            "scratch": str((self._folder / "ray").resolve()),
        }
        context = {
            "study": self._study["name"],
            **{key: self._study[key] for key in ("data", "versions", "git")},
        }
        if isinstance(trial, Fit):
            return FitJob(
                trial=trial,
                data={n: self._images((n,)) for n in (trial.fit, *trial.evaluate)},
                encoder=str(self._encoder(trial.pretraining)) if trial.pretraining else None,
                context=context | {"pretraining": trial.pretraining},
                **common,
            )
        images = self._images(trial.data)
        return PretrainJob(
            trial=own,
            probe=self._config.trial.probe,
            diagnostics=self._config.trial.diagnostics,
            rungs=(),
            may_stop=may_stop,
            store=images.stores[0],
            source_px=images.source_px[0],
            images=images.count,
            keep_encoder=True,
            joined=images,
            transfer=trial.transfer,
            context=context,
            **common,
        )

    def _images(self, names: tuple[str, ...]) -> Images:
        data = [_data(self._transfer, name) for name in names]
        shares = self._transfer.transfer.weights
        return Images(
            stores=tuple(str(Path(own.store).resolve()) for own in data),
            source_px=tuple(own.source_px for own in data),
            count=self._transfer.study.images,
            shares=tuple(shares[name] for name in names) if shares and len(names) > 1 else None,
        )

    def _conclude(self, complete: bool) -> int:
        status = super()._conclude(complete)
        waiting = [f for f in self._plan.fits if self._to_do(f.id)]
        if complete and waiting:
            self._console.print(
                f"[red]{len(waiting)} rows were not run[/]: the pretraining that they start from "
                "failed",
                soft_wrap=True,
            )
            return 1
        return status
