"""An Optuna study that mirrors the records, and samples the points of a search.

The records are the truth; the Optuna study is derived from them. Tune's OptunaSearch is not used:
it stores trials that were stopped early as complete with an intermediate value, and it cannot
continue a study that is newer than Tune's snapshot.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from handssl.errors import ConfigError
from handssl.records import Record, seed_from
from search.config.search import SearchConfig
from search.config.typed import to_dict
from search.observers.optuna_internals import reopen, start_trial
from search.space.point import Point, point_from
from search.space.sample import parameters_of
from search.trials.trial import Trial

_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # A space with conditional keys needs groups, which Optuna calls experimental.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "grid": lambda seed: RandomSampler(seed=seed),  # never asked: a grid needs no sampler
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": _tpe,
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
}
"""Optuna's samplers by search.kind, from a seed."""

ParametersOf = Callable[[Point], tuple[dict[str, Any], dict[str, BaseDistribution]]]
"""The parameters of a point and their distributions; ValueError outside the space."""


class OptunaMirror:
    """An Optuna study that is kept equal to the records.

    Args:
        url: Database URL; SQLite waits up to two minutes for a lock of another process.
        name: Name of the study.
        search: The search space, the metrics and the sampler.
        seed: The sampler's seed derives from it and from the number of stored trials, or a
            restarted search would repeat its first points.
        parameters: Parameters and distributions of a point, where not those of the search space.
    """

    def __init__(
        self,
        url: str,
        name: str,
        search: SearchConfig,
        *,
        seed: int = 0,
        parameters: ParametersOf | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # A server may close connections while trials train, so each is tested before its use.
        engine: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            engine = {"connect_args": {"timeout": 120}}
        try:
            self._storage = RDBStorage(url, engine_kwargs=engine)
        except (ImportError, SQLAlchemyError) as error:
            raise ConfigError(
                f"search.storage must be the URL of a database that can be reached, but got "
                f"{without_password(url)} ({str(error).splitlines()[0]})"
            ) from error
        self._name = name
        self._search = search
        self._parameters_of = parameters or (lambda point: parameters_of(point, search))
        self._study = self._open()
        stored = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = SAMPLERS[search.kind](seed_from(seed, stored))
        self._running: dict[str, optuna.trial.Trial] = {}
        self._reported: dict[str, set[int]] = {}

    def close(self) -> None:
        """Close the connections to the database."""
        self._storage.engine.dispose()

    def _open(self) -> optuna.Study:
        return optuna.create_study(
            storage=self._storage,
            study_name=self._name,
            directions=self._directions(),
            load_if_exists=True,
        )

    def _directions(self) -> list[StudyDirection]:
        return [StudyDirection[m.direction.upper()] for m in self._search.metrics.values()]

    def sync(self, records: Mapping[str, Record]) -> list[Point]:
        """Repair the study after a crash, without orphans or duplicates.

        A running trial with a record is finished; one without is adopted, and continues under its
        number; a record without a trial is added. The study is rebuilt if the search space has
        other choices, or a metric another direction.

        Returns:
            The points of the adopted trials of the first stage.
        """
        by_hash = {record.hash: record for record in records.values()}
        stored = self._study.get_trials(deepcopy=False)
        same_directions = self._study.directions == self._directions()
        if not (same_directions and self._fits(stored) and _recorded(stored, by_hash)):
            sampler = self._study.sampler
            optuna.delete_study(study_name=self._name, storage=self._storage)
            self._study, stored = self._open(), []
            self._study.sampler = sampler
        seen: set[str] = set()
        adopted = []
        for frozen in stored:
            digest = str(frozen.user_attrs.get("hash"))
            record = by_hash.get(digest)
            if frozen.state is not TrialState.RUNNING:
                # A failed trial may have a newer record of a retry, which is another Optuna trial.
                if record and frozen.state is _STATES[record.status]:
                    seen.add(digest)
            elif record and digest not in seen:
                self._adopt(frozen, digest)
                self.finish(record)
                seen.add(digest)
            elif "point" in frozen.user_attrs and not record and digest not in self._running:
                self._adopt(frozen, digest)
                if frozen.user_attrs.get("stage", 1) == 1:
                    adopted.append(point_from(frozen.user_attrs["point"]))
            else:
                self._study.tell(frozen.number, state=TrialState.FAIL)
        for digest, record in by_hash.items():
            if digest not in seen:
                self._add(record)
        return adopted

    def _fits(self, stored: Iterable[FrozenTrial]) -> bool:
        """Whether the stored trials belong to the present search space."""
        try:
            return all(
                self._parameters_of(point_from(point))[1] == frozen.distributions
                for frozen in stored
                if (point := frozen.user_attrs.get("point")) is not None
            )
        except (ValueError, KeyError, TypeError):
            return False

    def _adopt(self, frozen: FrozenTrial, digest: str) -> None:
        self._running[digest] = reopen(self._study, frozen)
        self._reported[digest] = set(frozen.intermediate_values)

    def _add(self, record: Record) -> None:
        point = point_from(record.point)
        try:
            parameters, distributions = self._parameters_of(point)
        except (ValueError, KeyError):
            return  # outside the present search space
        attributes = _attributes(record.hash, record.trial, point, stage=record.stage)
        values = {rung.epoch: rung.metrics.get(self._search.metric.name) for rung in record.rungs}
        if len(self._study.directions) > 1:
            values = {}  # Optuna has no intermediate values for several objectives
        self._study.add_trial(
            create_trial(
                state=_STATES[record.status],
                values=self._values(record),
                params=parameters,
                distributions=distributions,
                user_attrs=attributes | {"metrics": record.metrics},
                intermediate_values={e: v for e, v in values.items() if v is not None},
            )
        )

    def _values(self, record: Record) -> list[float] | None:
        """The values of a finished trial; other trials have none."""
        if record.status != "finished":
            return None
        values = ((metric, metric.of(record)) for metric in self._search.metrics.values())
        return [metric.worst if value is None else value for metric, value in values]

    def enqueue(self, points: Iterable[Point]) -> None:
        """Begin a sampled search with these points; those outside its space are skipped.

        A parameter that a point does not set, such as a learning rate, is sampled.
        """
        for point in points:
            try:
                parameters, _ = parameters_of(point, self._search, partial=True)
            except ValueError:
                continue
            self._study.enqueue_trial(parameters, skip_if_exists=True)

    def ask(self) -> optuna.trial.Trial:
        """A new trial, for `mark_running` or `answer_from_record` once it has a point."""
        return self._study.ask()

    def answer_from_record(self, asked: optuna.trial.Trial, record: Record) -> None:
        """Finish a sampled trial whose point has a record already."""
        asked.set_user_attr("answered_by", record.trial)
        self._tell(asked, record)

    def _tell(self, trial: optuna.trial.Trial, record: Record) -> None:
        self._study.tell(trial, self._values(record), state=_STATES[record.status])

    def mark_running(self, trial: Trial, asked: optuna.trial.Trial | None = None) -> None:
        """Store a trial as running, in the trial of Optuna that sampled it, if any.

        Does nothing if it is running already.
        """
        if trial.hash in self._running:
            return
        attributes = _attributes(trial.hash, trial.id, trial.point, stage=trial.stage)
        if asked is None:
            parameters, distributions = self._parameters_of(trial.point)
            asked = start_trial(
                self._study, params=parameters, distributions=distributions, user_attrs=attributes
            )
        else:
            for key, value in attributes.items():
                asked.set_user_attr(key, value)
        self._running[trial.hash] = asked
        self._reported[trial.hash] = set()

    def report(self, trial: Trial, epoch: int, value: float) -> None:
        """Store an intermediate value; one that an interrupted run has stored stays."""
        if len(self._study.directions) == 1 and epoch not in self._reported[trial.hash]:
            self._running[trial.hash].report(value, epoch)
            self._reported[trial.hash].add(epoch)

    def finish(self, record: Record) -> None:
        """Store the outcome of a running trial."""
        trial = self._running.pop(record.hash)
        del self._reported[record.hash]
        trial.set_user_attr("metrics", record.metrics)
        self._tell(trial, record)


def without_password(url: str) -> str:
    """A database URL without its password; other text is returned unchanged."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def _recorded(stored: Iterable[FrozenTrial], by_hash: Mapping[str, Record]) -> bool:
    """Whether every trial with a result has a record, which a user may have deleted."""
    with_result = (TrialState.COMPLETE, TrialState.PRUNED)
    return all(
        frozen.user_attrs["hash"] in by_hash
        for frozen in stored
        if frozen.state in with_result and "hash" in frozen.user_attrs
    )


def _attributes(digest: str, trial: str, point: Point, *, stage: int) -> dict[str, Any]:
    # `ask` stores these one by one: a trial with the last of them, the point, has all.
    return {
        "hash": digest,
        "trial": trial,
        "composition": point.composition,
        "repeat": point.repeat,
        "stage": stage,
        "point": to_dict(point),
    }
