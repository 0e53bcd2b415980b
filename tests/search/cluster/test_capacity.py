from pathlib import Path

import pytest

from handssl.errors import ConfigError
from search.cluster.capacity import NodeGroup, check_ceiling, node_groups
from search.config.compose import CONFIG_DIR, compose_config
from search.config.schema import TrialConfig
from search.studies.checks import check_resources

AWS = CONFIG_DIR / "launch" / "aws.yaml"


def trial(*overrides: str) -> TrialConfig:
    keys = ("trial.cpus=4", "trial.gpus=1", "trial.pretrain.batch_size=360")
    return compose_config([*keys, *overrides]).trial


def test_the_launch_files_say_what_their_clusters_can_give() -> None:
    assert node_groups(AWS) == [
        NodeGroup("head", 1, {"CPU": 0.0}),
        NodeGroup("gpu", 8, {"CPU": 8.0, "GPU": 1.0}),
    ]
    assert node_groups(CONFIG_DIR / "launch" / "gcp.yaml")


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
    groups = node_groups(AWS)
    assert groups
    check_ceiling(trial(*keys), groups)


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
    groups = node_groups(AWS)
    assert groups
    with pytest.raises(ConfigError, match=r"can never all be held by this cluster \(head: 1 x"):
        check_ceiling(trial(*keys), groups)


def test_the_file_on_the_head_decides_and_need_not_be_there(tmp_path: Path) -> None:
    keys = ["cluster=auto", "trial.executor=train", "trial.gpus=2"]
    check_resources(compose_config([*keys, f"cluster.autoscaler={tmp_path}/none.yaml"]))
    with pytest.raises(ConfigError, match="can never all be held"):
        check_resources(compose_config([*keys, f"cluster.autoscaler={AWS}"]))


def test_resources_that_only_the_cloud_knows_refuse_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("available_node_types: {gpu: {max_workers: 3, node_config: {}}}")
    assert node_groups(path) is None
    path.write_text("something: else")
    with pytest.raises(ConfigError, match="must be the file that `ray up` was given"):
        node_groups(path)
