"""Ray's part of a study: start or join a cluster, hand Tune the jobs, leave nothing behind."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray._private import ray_constants
from ray.tune.schedulers import ASHAScheduler, MedianStoppingRule, TrialScheduler
from ray.tune.stopper import Stopper

from handssl.allocator import KEEP_FREED_MEMORY
from handssl.errors import ConfigError
from search.cluster.actor import actor_trainable
from search.cluster.train import train_trainable
from search.config.schema import ClusterConfig, Config
from search.observers.optuna_study import Suggestions
from search.observers.watch import StudyWatch
from search.storage.folder import delete_tree
from search.studies.checks import fit_at_once
from search.trials.job import Job

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine unasked
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # records and TensorBoard are written by us
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial's last report has no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # and Tune's snapshot is never read
    **KEEP_FREED_MEMORY,
}

_WAITING = 16
"""Trials that wait for room on a cluster, for its autoscaler to see."""

_TRAINERS = 8
"""Trials of several workers at a time on a cluster: each takes two processes of its head."""


def run_jobs(
    config: Config, jobs: Iterator[Job], watch: StudyWatch, scratch: str, *, stops: bool
) -> bool:
    """Run jobs on the cluster until there are none left, or until Ctrl-C.

    Args:
        config: The configuration.
        jobs: What to run; the next one is asked for when there is room for it.
        watch: Told of every event.
        scratch: Place for Tune's own files, which all nodes share; made anew, and removed at the
            end.
        stops: Whether trials may be stopped early, as configured.

    Returns:
        Whether all jobs have ended.

    Raises:
        Exception: What the watch met; the trials that were running can be continued.
    """
    delete_tree(scratch)
    in_actor = config.trial.runs_in == "actor"
    trainable: Any = actor_trainable(config.trial) if in_actor else train_trainable(config.trial)
    suggestions = Suggestions(jobs)
    try:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=suggestions,
                scheduler=scheduler(config) if stops else None,
                num_samples=-1,
                max_concurrent_trials=_concurrent(config),
                reuse_actors=in_actor,
                trial_dirname_creator=lambda trial: str(trial.config["trial"]),
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                callbacks=[watch],
                stop=_OnError(watch),
                failure_config=tune.FailureConfig(max_failures=config.search.retries),
                verbose=0,
            ),
        ).fit()
    except Exception:
        # Where the disk is full, Tune then trips over its own files, cut short; that is no news.
        if watch.error is None:
            raise
    finally:
        delete_tree(scratch)
    if watch.error is not None:
        raise watch.error
    return suggestions.exhausted and not watch.running


class _OnError(Stopper):
    """Stops the whole run once its watch has met an error."""

    def __init__(self, watch: StudyWatch) -> None:
        self._watch = watch

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._watch.error is not None


def scheduler(config: Config) -> TrialScheduler | None:
    """What stops trials early, as configured; None where nothing does."""
    stopping, metric = config.search.early_stopping, config.search.metric
    common: dict[str, Any] = {
        "time_attr": "epoch",
        "metric": metric.name,
        "mode": {"minimize": "min", "maximize": "max"}[metric.direction],
    }
    match stopping.name:
        case "asha":
            return ASHAScheduler(
                **common,
                max_t=config.study.epochs,
                grace_period=stopping.grace_epochs,
                reduction_factor=stopping.reduction,
            )
        case "median":
            return MedianStoppingRule(**common, grace_period=stopping.grace_epochs)
        case _:
            return None


@contextmanager
def cluster(config: ClusterConfig, *, verbose: bool) -> Iterator[str]:
    """Start Ray here or join a cluster, and leave it in the end; yields the dashboard's address.

    The address is empty where no dashboard is served.
    """
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    # What fails is told by the records and the display; tracebacks are in the records.
    level = logging.INFO if verbose else logging.CRITICAL
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(level)
    local: dict[str, Any] = {}
    if config.address != "local":
        # Trials that wait for resources are what an autoscaler sees; one would grow one node.
        os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(_WAITING))
    else:
        local = {
            "num_cpus": config.cpus,
            "num_gpus": config.gpus,
            "include_dashboard": config.dashboard,
            "_node_ip_address": "127.0.0.1",
        }
        # No machine is taken from a cluster that is this one; the actor that asks would cost 0.7 %
        # of a core.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        if config.dashboard:
            # Ray's cleaner of what a stopped trial held asks this address. Where it has to search
            # for one, and another cluster runs on the machine, it gives up.
            local["dashboard_port"] = _free_port()
            os.environ["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{local['dashboard_port']}"
    try:
        with _loopback(local=bool(local)):
            context = ray.init(
                address=config.address, log_to_driver=verbose, logging_level=level, **local
            )
    except ConnectionError as error:
        raise ConfigError(
            f"cluster.address must be that of a running Ray cluster, but got "
            f"cluster.address={config.address} ({str(error).splitlines()[0]}); start one, or use "
            "cluster=local"
        ) from error
    try:
        yield f"http://{context.dashboard_url}" if context.dashboard_url else ""
    finally:
        ray.shutdown()


@contextmanager
def _loopback(*, local: bool) -> Iterator[None]:
    """Ray that is started here has all its ports on the loopback interface, as on macOS.

    Elsewhere it takes the machine's own address for 127.0.0.1, and listens on every interface.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = before and not local
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _free_port() -> int:
    """The dashboard's usual port, or another where that is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 8265))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _concurrent(config: Config) -> int | None:
    """Trials at a time, unless told: what this machine holds; a cluster grows with the demand."""
    if config.search.concurrent is not None:
        return config.search.concurrent
    if config.cluster.address != "local":
        # Tune bounds the actors that wait for room, but sees none of Ray Train's workers.
        return None if config.trial.runs_in == "actor" else _TRAINERS
    held: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return fit_at_once(config.trial, held.get("CPU", 1), held.get("GPU", 0))
