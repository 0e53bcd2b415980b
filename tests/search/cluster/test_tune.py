import os
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray

from handssl.allocator import KEEP_FREED_MEMORY
from search.cluster.tune import cluster, scheduler
from search.config.compose import compose_config
from search.config.schema import ClusterConfig

AUC = "search.metric={name: auc_50cm, direction: maximize}"


def stopped(*overrides: str, name: str, values: list[float]) -> list[float]:
    """The values whose trials are stopped at the first rung, one trial after another."""
    config = compose_config(["search=tpe", "study.epochs=4", *overrides])
    decides: Any = scheduler(config)
    gone = []
    for number, value in enumerate(values):
        trial = SimpleNamespace(trial_id=str(number))
        decides.on_trial_add(None, trial)
        report = {"epoch": 1, "training_iteration": 1, name: value}
        if decides.on_trial_result(None, trial, report) == decides.STOP:
            gone.append(value)
    return gone


def test_asha_stops_what_is_behind_in_the_metrics_own_direction() -> None:
    values = [0.5, 0.4, 0.6, 0.3, 0.7]
    assert stopped(name="median_pje_cm", values=values) == [0.6, 0.7]
    assert stopped(AUC, name="auc_50cm", values=values) == [0.4, 0.3]


def test_another_metric_in_the_reports_decides_nothing() -> None:
    assert stopped(AUC, name="median_pje_cm", values=[0.5, 0.1, 0.9]) == []


@pytest.mark.parametrize(
    ("overrides", "mode"), [([], "min"), ([AUC], "max"), (["search.metric.name=mpjpe_cm"], "min")]
)
def test_median_stopping_has_the_metric_and_its_direction(overrides: list[str], mode: str) -> None:
    config = compose_config(["search=tpe", "search.early_stopping.name=median", *overrides])
    rule: Any = scheduler(config)
    assert rule._metric == config.search.metric.name
    assert rule._worst == (float("-inf") if mode == "max" else float("inf"))


def _allocator() -> dict[str, str]:
    return {name: os.environ[name] for name in KEEP_FREED_MEMORY}


def test_nothing_of_a_cluster_that_is_started_here_listens_beyond_this_machine() -> None:
    with cluster(ClusterConfig(cpus=1), verbose=False) as dashboard:
        assert dashboard.startswith("http://127.0.0.1:")
        # A worker has started, and was told to keep its memory.
        assert ray.get(ray.remote(_allocator).remote()) == dict(KEEP_FREED_MEMORY)
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = {
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
