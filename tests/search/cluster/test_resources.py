from pathlib import Path

import pytest

from handssl.errors import ConfigError
from handssl.training import PretrainConfig
from search.cluster.resources import (
    NodeGroup,
    autoscaler_limits,
    check_cluster_capacity,
    check_resources,
    fit_at_once,
)
from search.config.compose import CONFIG_DIR, compose_config
from search.config.schema import ClusterConfig, TrialConfig

AWS = CONFIG_DIR / "launch" / "aws.yaml"


def of(workers: int | tuple[int, int], *, cpus: float = 1.0, gpus: float = 0.0) -> TrialConfig:
    pretrain = PretrainConfig(batch_size=48)
    return TrialConfig(workers=workers, cpus=cpus, gpus=gpus, pretrain=pretrain)


@pytest.mark.parametrize(
    ("trial", "cpus", "gpus", "expected"),
    [
        (of(1), 4, 0, 4),
        (of(2), 5, 0, 2),
        (of(4), 2, 0, 1),
        (of((1, 4)), 8, 0, 2),
        (of((1, 4)), 9, 0, 3),  # the third trial takes the last CPU
        (of((2, 4)), 9, 0, 2),
        (of((1, 4), gpus=0.5), 64, 3, 2),
        (of(1, cpus=0.1), 1, 0, 10),
        (of(1, gpus=0.2), 64, 1, 5),
        (of(1, gpus=0.3), 64, 4, 12),  # three shares on each device, 0.1 of it unused
        (of(1, gpus=0.6), 64, 4, 4),
        (of(1, gpus=2), 64, 5, 2),
        (of(1, gpus=0.2), 64, None, 64),
    ],
)
def test_trials_share_a_machine_without_splitting_a_worker_over_devices(
    trial: TrialConfig, cpus: float, gpus: float | None, expected: int
) -> None:
    assert fit_at_once(trial, cpus, gpus) == expected


@pytest.mark.parametrize(
    ("trial", "gpus", "expected"),
    [
        (of(1, gpus=1.5), 2, r"trial\.gpus=1\.5;"),
        (of(3, gpus=0.6), 2, r"trial\.workers=3 .*trial\.gpus=0\.6 .* 2 GPUs hold 2;"),
        (of(1, gpus=0.00005), 1, r"trial\.gpus=5e-05"),
        (of((2, 4)), 0, r"trial\.workers=\[2, 4\] .*trial\.cpus=1 .* 1 CPUs and .* hold 1;"),
    ],
)
def test_a_trial_that_this_machine_can_never_hold_is_refused(
    trial: TrialConfig, gpus: int, expected: str
) -> None:
    cluster = ClusterConfig(cpus=1 if trial.elastic else 64, gpus=gpus)
    with pytest.raises(ConfigError, match=expected):
        check_resources(trial, cluster)


def test_an_elastic_trial_fits_if_its_smallest_number_of_workers_does() -> None:
    check_resources(of((1, 2)), ClusterConfig(cpus=1))


def trial(*overrides: str) -> TrialConfig:
    keys = ("trial.cpus=4", "trial.gpus=1", "trial.pretrain.batch_size=360")
    return compose_config([*keys, *overrides]).trial


def test_the_launch_files_say_what_their_clusters_can_give() -> None:
    assert autoscaler_limits(AWS) == [
        NodeGroup("head", 1, {"CPU": 0.0}),
        NodeGroup("gpu", 8, {"CPU": 8.0, "GPU": 1.0}),
    ]
    assert autoscaler_limits(CONFIG_DIR / "launch" / "gcp.yaml")


@pytest.mark.parametrize(
    "keys",
    [
        ["trial.workers=8"],
        ["trial.workers=9", "trial.gpus=0.5"],
        ["trial.workers=16", "trial.gpus=0", "trial.pretrain.batch_size=320"],
        ["trial.workers=[2,9]", "trial.pretrain.batch_size=2520"],
    ],
)
def test_a_trial_that_some_number_of_nodes_holds_is_let_through(keys: list[str]) -> None:
    groups = autoscaler_limits(AWS)
    assert groups
    check_cluster_capacity(trial(*keys), groups)


@pytest.mark.parametrize(
    "keys",
    [
        ["trial.workers=9"],
        ["trial.gpus=2"],
        ["trial.cpus=9"],
        ["trial.workers=17", "trial.gpus=0", "trial.pretrain.batch_size=340"],
    ],
)
def test_a_trial_that_would_wait_for_ever_is_refused(keys: list[str]) -> None:
    groups = autoscaler_limits(AWS)
    assert groups
    with pytest.raises(ConfigError, match=r"trial\.workers=.* head: 1 x \(0 CPU"):
        check_cluster_capacity(trial(*keys), groups)


def test_the_file_on_the_head_decides_and_need_not_be_there(tmp_path: Path) -> None:
    keys = ["cluster=auto", "trial.executor=train", "trial.gpus=2"]
    config = compose_config([*keys, f"cluster.autoscaler={tmp_path}/none.yaml"])
    check_resources(config.trial, config.cluster)
    config = compose_config([*keys, f"cluster.autoscaler={AWS}"])
    with pytest.raises(ConfigError, match=r"trial\.gpus=2 "):
        check_resources(config.trial, config.cluster)


def test_resources_that_only_the_cloud_knows_refuse_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("available_node_types: {gpu: {max_workers: 3, node_config: {}}}")
    assert autoscaler_limits(path) is None
    path.write_text("something: else")
    with pytest.raises(ConfigError, match=r"cluster\.autoscaler=.*cluster\.yaml"):
        autoscaler_limits(path)
