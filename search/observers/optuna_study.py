"""Between Ray Tune, which asks for trials, and Optuna, which samples and shows them.

The records decide; the Optuna study is a live view of them, and a sampled search's memory.
Tune's own OptunaSearch is not used: it stores early-stopped trials as complete with a truncated
value, and it cannot pick up a study that is newer than Tune's snapshot.
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
from search.space.point import Point, point_from
from search.space.sample import parameters_of
from search.trials.trial import Trial


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # Grouping is what a space with conditional keys needs; Optuna calls it experimental.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "grid": lambda seed: RandomSampler(seed=seed),  # never asked: every point is enqueued
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": _tpe,
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
}
"""Optuna's samplers by search.kind."""

_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


Parameters = Callable[[Point], tuple[dict[str, Any], dict[str, BaseDistribution]]]
"""Values and distributions of the parameters that make a point; ValueError if none do."""


class OptunaView:
    """A study in an Optuna storage, kept equal to the records.

    Args:
        url: Database URL; SQLite waits up to two minutes for a lock held by another process.
        name: Name of the study.
        search: The search space and the sampler.
        seed: The sampler's seed derives from it and from the trials that are there already, or
            the first choices after a restart would be those of the run before.
        parameters: How a point is shown; as the search space would have chosen it, unless given.
    """

    def __init__(
        self,
        url: str,
        name: str,
        search: SearchConfig,
        *,
        seed: int = 0,
        parameters: Parameters | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # A server may close connections while trials train: each is tried before it is used.
        patient: dict[str, Any] = (
            {"connect_args": {"timeout": 120}}
            if url.startswith("sqlite")
            else {"pool_pre_ping": True}
        )
        try:
            self._storage = RDBStorage(url, engine_kwargs=patient)
        except (ImportError, SQLAlchemyError) as error:
            raise ConfigError(
                f"search.storage must be the URL of a database that can be reached, but got "
                f"{without_password(url)} ({str(error).splitlines()[0]})"
            ) from error
        self._name = name
        self._search = search
        self._parameters_of = parameters or (lambda point: parameters_of(point, search))
        self._study = self._open()
        asked = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = SAMPLERS[search.kind](seed_from(seed, asked))
        self._live: dict[str, optuna.trial.Trial] = {}

    def _open(self) -> optuna.Study:
        return optuna.create_study(
            storage=self._storage,
            study_name=self._name,
            directions=self._directions(),
            load_if_exists=True,
        )

    def _directions(self) -> list[StudyDirection]:
        return [StudyDirection[own.direction.upper()] for own in self._search.metrics.values()]

    def synchronise(self, records: Mapping[str, Record]) -> list[Point]:
        """Heal what a crash left behind, so that there is no orphan and no duplicate.

        A running trial whose record exists is told; one without is adopted, to be run on under its
        old number; a record without a trial is added. Where the search space has changed its
        choices, or the metrics their directions, the view is built anew.

        Returns:
            The points of the adopted trials of the first stage.
        """
        by_hash = {record.hash: record for record in records.values()}
        known = self._study.get_trials(deepcopy=False)
        directed = self._study.directions == self._directions()
        if not (directed and self._fits(known) and _recorded(known, by_hash)):
            sampler = self._study.sampler
            optuna.delete_study(study_name=self._name, storage=self._storage)
            self._study, known = self._open(), []
            self._study.sampler = sampler
        seen: set[str] = set()
        adopted = []
        for frozen in known:
            digest = str(frozen.user_attrs.get("hash"))
            record = by_hash.get(digest)
            if frozen.state is not TrialState.RUNNING:
                # One that failed may have been tried again since, and then shows as another trial.
                if record and frozen.state is _STATES[record.status]:
                    seen.add(digest)
            elif record and digest not in seen:
                self._adopt(frozen, digest)
                self.end(record)
                seen.add(digest)
            elif "point" in frozen.user_attrs and not record and digest not in self._live:
                self._adopt(frozen, digest)
                if frozen.user_attrs.get("stage", 1) == 1:
                    adopted.append(point_from(frozen.user_attrs["point"]))
            else:
                self._study.tell(frozen.number, state=TrialState.FAIL)
        for digest, record in by_hash.items():
            if digest not in seen:
                self._add(record)
        return adopted

    def _fits(self, known: Iterable[FrozenTrial]) -> bool:
        """Whether the stored trials can live with the search space as it is now."""
        for frozen in known:
            point = frozen.user_attrs.get("point")
            if point is None:
                continue
            try:
                _, distributions = self._parameters_of(point_from(point))
            except (ValueError, KeyError, TypeError):
                return False
            if distributions != frozen.distributions:
                return False
        return True

    def _adopt(self, frozen: FrozenTrial, digest: str) -> None:
        self._live[digest] = optuna.trial.Trial(self._study, frozen._trial_id)

    def _add(self, record: Record) -> None:
        point = point_from(record.point)
        try:
            parameters, distributions = self._parameters_of(point)
        except ValueError:
            return  # outside the search space as it is now
        state = _STATES[record.status]
        self._study.add_trial(
            create_trial(
                state=state,
                values=self._values(record) if state is TrialState.COMPLETE else None,
                params=parameters,
                distributions=distributions,
                user_attrs=_attributes(record.hash, record.trial, point, stage=record.stage)
                | {"metrics": record.metrics},
                intermediate_values=self._intermediate(record),
            )
        )

    def _values(self, record: Record) -> list[float]:
        told = ((own, own.of(record)) for own in self._search.metrics.values())
        return [own.worst if value is None else value for own, value in told]

    def _intermediate(self, record: Record) -> dict[int, float]:
        if len(self._study.directions) > 1:  # Optuna has none for several objectives
            return {}
        name = self._search.metric.name
        return {
            rung.epoch: value
            for rung in record.rungs
            if (value := rung.metrics.get(name)) is not None
        }

    def enqueue(self, points: Iterable[Point]) -> None:
        """Let a sampled search begin with these points, as far as they lie in its space.

        What the space asks about and a point does not say (a learning rate) is sampled.
        """
        for point in points:
            try:
                parameters, _ = parameters_of(point, self._search, partial=True)
            except ValueError:
                continue
            self._study.enqueue_trial(parameters, skip_if_exists=True)

    def ask(self) -> optuna.trial.Trial:
        """A new trial, to be given a point and then to `begin`, or to `answer`."""
        return self._study.ask()

    def answer(self, asked: optuna.trial.Trial, record: Record) -> None:
        """Tell a sampled point that has a record what the record says."""
        asked.set_user_attr("answered_by", record.trial)
        self._tell(asked, record)

    def _tell(self, live: optuna.trial.Trial, record: Record) -> None:
        state = _STATES[record.status]
        if state is TrialState.COMPLETE:
            self._study.tell(live, self._values(record))
        else:
            self._study.tell(live, state=state)

    def begin(self, trial: Trial, asked: optuna.trial.Trial | None = None) -> None:
        """Show a trial as running; a second begin of the same trial continues the first."""
        if trial.hash in self._live:
            return
        attributes = _attributes(trial.hash, trial.id, trial.point, stage=trial.stage)
        if asked is None:
            # In one transaction: killed anywhere, there is the whole trial or none.
            parameters, distributions = self._parameters_of(trial.point)
            begun = create_trial(
                state=TrialState.RUNNING,
                params=parameters,
                distributions=distributions,
                user_attrs=attributes,
            )
            number = self._storage.create_new_trial(self._study._study_id, begun)
            asked = optuna.trial.Trial(self._study, number)
        else:
            for key, value in attributes.items():
                asked.set_user_attr(key, value)
        self._live[trial.hash] = asked

    def report(self, trial: Trial, epoch: int, value: float) -> None:
        """Show an intermediate value; one that was shown before (by a killed run) stays."""
        if len(self._study.directions) > 1:
            return
        live = self._live[trial.hash]
        shown = self._storage.get_trial(live._trial_id).intermediate_values
        if epoch not in shown:
            live.report(value, epoch)

    def end(self, record: Record) -> None:
        """Close a trial as its record says."""
        live = self._live.pop(record.hash)
        live.set_user_attr("metrics", record.metrics)
        self._tell(live, record)


def without_password(url: str) -> str:
    """A database URL as it may be shown and stored; what is none is returned as it is."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def _recorded(known: Iterable[FrozenTrial], by_hash: Mapping[str, Record]) -> bool:
    """Whether every trial that ended with a result has its record; one may have been deleted."""
    with_result = (TrialState.COMPLETE, TrialState.PRUNED)
    return all(
        frozen.user_attrs["hash"] in by_hash
        for frozen in known
        if frozen.state in with_result and "hash" in frozen.user_attrs
    )


def _attributes(digest: str, trial: str, point: Point, *, stage: int) -> dict[str, Any]:
    # The point comes last: a trial that has it has all.
    return {
        "hash": digest,
        "trial": trial,
        "composition": point.composition,
        "repeat": point.repeat,
        "stage": stage,
        "point": to_dict(point),
    }
