"""The files of `configs/launch`, each checked as far as that goes without a cloud."""

import copy
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import ray
from omegaconf import OmegaConf
from ray.autoscaler._private.util import prepare_config, validate_config

from search.config.compose import CONFIG_DIR, GROUPS, compose_config

LAUNCH = CONFIG_DIR / "launch"
CLOUDS = ("aws", "gcp")
MANIFESTS = ("kuberay-raycluster", "kuberay-rayjob")


def load(name: str, folder: Path = LAUNCH) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(OmegaConf.load(folder / f"{name}.yaml"))
    return dict(values)


KUBERAY = load("kuberay", CONFIG_DIR.parent / "tests" / "fixtures")


def test_the_launch_files_are_those_that_the_tests_know() -> None:
    yaml_files = {f"{name}.yaml" for name in (*CLOUDS, *MANIFESTS)}
    assert {path.name for path in LAUNCH.iterdir()} == yaml_files | {"slurm.sh", "Dockerfile"}
    assert "launch" not in GROUPS


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_accepts_the_autoscaler_file(cloud: str) -> None:
    prepared = prepare_config(load(cloud))
    validate_config(prepared)
    assert prepared["provider"]["type"] == cloud


@pytest.mark.parametrize("cloud", CLOUDS)
def test_workers_are_spot_machines_from_zero_that_hold_a_trial_of_the_paper(cloud: str) -> None:
    config = load(cloud)
    head, gpu = (config["available_node_types"][name] for name in ("head", "gpu"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert gpu["min_workers"] == 0
    assert 0 < gpu["max_workers"] <= config["max_workers"]
    trial = compose_config(["study=paper", "data=freihand", "data.root=x"]).trial
    assert gpu["resources"]["GPU"] == 1 >= trial.gpus
    assert gpu["resources"]["CPU"] >= trial.cpus
    assert 0 < config["idle_timeout_minutes"] <= 10
    spot = {"aws": "spot", "gcp": "SPOT"}[cloud]
    assert spot in str(gpu["node_config"])
    assert spot not in str(head["node_config"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_but_ssh_is_reachable_and_a_token_is_asked_for(cloud: str) -> None:
    config = load(cloud)
    assert "IpPermissions" not in config["provider"].get("security_group", {})
    (head,) = (line for line in config["head_start_ray_commands"] if "--head" in line)
    assert "--dashboard-host=127.0.0.1" in head
    assert "~/.ray/auth_token" in config["file_mounts"]
    assert "${RAY_AUTH_TOKEN}" not in str(config)
    for line in [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]:
        assert "ray start" not in line or "RAY_AUTH_MODE=token ray start" in line


def cluster_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]
    cluster: dict[str, Any] = spec.get("rayClusterSpec", spec)
    return cluster


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifest_uses_only_fields_that_kuberay_has(name: str) -> None:
    jsonschema.validate(load(name), {"$ref": f"#/$defs/{name}"} | KUBERAY)


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda cluster: cluster.update(autoscalingOptions={}),
        lambda cluster: cluster["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
        lambda cluster: cluster["workerGroupSpecs"][0].update(maxReplica=3),
        lambda cluster: cluster["workerGroupSpecs"][0].pop("minReplicas"),
        lambda cluster: cluster["authOptions"].update(mode="password"),
        lambda cluster: cluster["headGroupSpec"]["template"]["spec"].pop("containers"),
    ],
)
def test_a_slip_in_the_manifest_is_found(
    name: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    manifest = copy.deepcopy(load(name))
    spoil(cluster_of(manifest))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, {"$ref": f"#/$defs/{name}"} | KUBERAY)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifest_scales_from_zero_behind_a_token(name: str) -> None:
    cluster = cluster_of(load(name))
    assert cluster["enableInTreeAutoscaling"]
    assert cluster["authOptions"] == {"mode": "token"}
    head = cluster["headGroupSpec"]
    assert head["serviceType"] == "ClusterIP"
    assert head["rayStartParams"]["num-cpus"] == "0"
    (container,) = head["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"gcs-server": 6379, "dashboard": 8265, "client": 10001, "metrics": 8080}
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] == group["replicas"] == 0 < group["maxReplicas"]
        (worker,) = group["template"]["spec"]["containers"]
        assert worker["image"] == container["image"]
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
        mounted = {mount["name"] for mount in worker["volumeMounts"]}
        assert mounted == {volume["name"] for volume in group["template"]["spec"]["volumes"]}


def test_both_manifests_describe_the_same_cluster() -> None:
    assert cluster_of(load(MANIFESTS[0])) == cluster_of(load(MANIFESTS[1]))


def test_the_job_runs_a_command_that_the_search_accepts() -> None:
    python, script, *overrides = load("kuberay-rayjob")["spec"]["entrypoint"].split()
    assert python == "python"
    assert (CONFIG_DIR.parent / script).is_file()
    config = compose_config(overrides)
    assert config.cluster.address == "auto"
    assert config.results.startswith("/shared/")


@pytest.mark.parametrize("path", sorted(LAUNCH.iterdir()), ids=lambda path: path.name)
def test_every_version_of_ray_that_is_named_is_the_installed_one(path: Path) -> None:
    text = path.read_text()
    named = re.findall(r"(?:rayproject/ray:|handssl:|tune\]==|rayVersion: )(\d+\.\d+\.\d+)", text)
    assert named or path.name == "slurm.sh"
    assert set(named) <= {ray.__version__}


def test_the_slurm_script_is_sound_bash() -> None:
    script = LAUNCH / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=60)
    assert script.stat().st_mode & 0o100
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, str(script)], check=True, timeout=60)


def test_slurm_starts_ray_on_every_machine_with_a_subcommand_that_ray_has() -> None:
    text = (LAUNCH / "slurm.sh").read_text()
    assert "ray symmetric-run --address" in text
    ray_command = Path(sys.executable).with_name("ray")
    printed = subprocess.check_output([ray_command, "symmetric-run", "--help"], text=True)
    assert {"--address", "--min-nodes"} <= set(re.findall(r"--[a-z-]+", printed))
