"""Run the trials of a stage with Ray Tune."""

from collections.abc import Iterator
from typing import Any, Final

from ray import tune
from ray.tune.schedulers import ASHAScheduler, MedianStoppingRule, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from search.cluster.actor import actor_trainable
from search.cluster.resources import fit_at_once, running_resources
from search.cluster.train import train_trainable
from search.config.metric import SearchMetric
from search.config.schema import ClusterConfig, TrialConfig
from search.config.search import EarlyStopping
from search.observers.watch import StudyWatch
from search.storage.folder import delete_tree
from search.trials.trial import Job

_MAX_TRAINERS: Final = 8
"""Trials with several workers that run on a cluster: each takes two processes of the head."""


def run_jobs(
    jobs: Iterator[Job],
    watch: StudyWatch,
    *,
    trial: TrialConfig,
    cluster: ClusterConfig,
    concurrent: int | None,
    retries: int,
    scratch: str,
    scheduler: TrialScheduler | None = None,
) -> bool:
    """Run jobs on the running cluster until none remains, or until Ctrl-C.

    Args:
        jobs: The jobs; the next one is requested when there are resources for it.
        watch: Receives every event.
        trial: Resources of one trial.
        cluster: The cluster.
        concurrent: Trials at the same time; None for as many as fit.
        retries: How often a trial that failed is started again.
        scratch: Folder for Tune's files, which all nodes share; emptied first, deleted at the end.
        scheduler: Stops trials early.

    Returns:
        Whether all jobs have ended.

    Raises:
        Exception: The first error of the watch; the running trials can be continued.
    """
    delete_tree(scratch)
    in_actor = trial.runs_in == "actor"
    trainable: Any = actor_trainable(trial) if in_actor else train_trainable(trial)
    searcher = _JobQueue(jobs)
    try:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=concurrent or _concurrent(trial, cluster),
                reuse_actors=in_actor,
                trial_dirname_creator=lambda tune_trial: str(tune_trial.config["trial"]),
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                callbacks=[watch],
                stop=_StopOnError(watch),
                failure_config=tune.FailureConfig(max_failures=retries),
                verbose=0,
            ),
        ).fit()
    except Exception:
        # On a full disk, Tune then fails on its truncated files; the cause is the watch's error.
        if watch.error is None:
            raise
    finally:
        delete_tree(scratch)
    if watch.error is not None:
        raise watch.error
    return searcher.exhausted and not watch.running


class _JobQueue(Searcher):
    """Give Tune one job after another from an iterator, which may choose a job late.

    Tune's trial ids are random; the id of our trial is in the configuration, under "trial".
    """

    def __init__(self, jobs: Iterator[Job]) -> None:
        super().__init__()  # no metric: a report without one is valid
        self._jobs = jobs
        self.exhausted = False

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restore that we never use."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """The configuration of the next trial."""
        job = next(self._jobs, None)
        if job is None:
            self.exhausted = True
            return Searcher.FINISHED
        return {"trial": job.trial.id, "job": job}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the watch tells Optuna, from the records."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a study continues from its records, never from Tune's snapshot."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing; see `save`."""


class _StopOnError(Stopper):
    """Stop the whole run after the first error of the watch."""

    def __init__(self, watch: StudyWatch) -> None:
        self._watch = watch

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._watch.error is not None


class _AtRungs(TrialScheduler):
    """Decide at rungs only, although trials report every epoch."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not result.get("rung", True):
            return TrialScheduler.CONTINUE
        return str(super().on_trial_result(tune_controller, trial, result))


class _Asha(_AtRungs, ASHAScheduler):
    pass


class _MedianStopping(_AtRungs, MedianStoppingRule):
    pass


def early_stopping(
    stopping: EarlyStopping, metric: SearchMetric, *, epochs: int
) -> TrialScheduler | None:
    """The scheduler of `search.early_stopping`; None if no trial is stopped early.

    `epochs` are those of a trial that is not stopped.
    """
    common: dict[str, Any] = {
        "time_attr": "epoch",
        "metric": metric.name,
        "mode": {"minimize": "min", "maximize": "max"}[metric.direction],
        "grace_period": stopping.grace_epochs,
    }
    if stopping.name == "asha":
        return _Asha(**common, max_t=epochs, reduction_factor=stopping.reduction)
    return _MedianStopping(**common) if stopping.name == "median" else None


def _concurrent(trial: TrialConfig, cluster: ClusterConfig) -> int | None:
    """Trials at the same time, as many as fit; None has no limit."""
    if cluster.address != "local":
        # Tune limits the waiting actors, but does not see the workers of Ray Train.
        return None if trial.runs_in == "actor" else _MAX_TRAINERS
    return fit_at_once(trial, *running_resources())
