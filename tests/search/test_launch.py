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


def load(name: str) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(OmegaConf.load(LAUNCH / f"{name}.yaml"))
    return dict(values)


def test_the_launch_files_are_those_that_the_tests_know() -> None:
    yaml_files = {f"{name}.yaml" for name in (*CLOUDS, *MANIFESTS)}
    assert {path.name for path in LAUNCH.iterdir()} == yaml_files | {"slurm.sh", "Dockerfile"}
    assert "launch" not in GROUPS


# Autoscaler files -----------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_accepts_the_autoscaler_file(cloud: str) -> None:
    prepared = prepare_config(load(cloud))
    validate_config(prepared)
    assert prepared["provider"]["type"] == cloud


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda config: config.update(max_wokers=3),
        lambda config: config["available_node_types"]["gpu"].update(max_worker=3),
        lambda config: config.update(head_node_type="nobody"),
        lambda config: config["available_node_types"]["gpu"]["resources"].update(CPU="eight"),
    ],
)
def test_ray_refuses_a_slip_in_the_autoscaler_file(
    cloud: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    config = load(cloud)
    spoil(config)
    with pytest.raises((ValueError, jsonschema.ValidationError)):
        validate_config(prepare_config(config))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_workers_are_spot_machines_from_zero_and_the_head_is_not(cloud: str) -> None:
    config = load(cloud)
    head, gpu = (config["available_node_types"][name] for name in ("head", "gpu"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert gpu["min_workers"] == 0
    assert 0 < gpu["max_workers"] <= config["max_workers"]
    assert gpu["resources"]["GPU"] == 1
    assert 0 < config["idle_timeout_minutes"] <= 10
    spot = {"aws": "spot", "gcp": "SPOT"}[cloud]
    assert spot in str(gpu["node_config"])
    assert spot not in str(head["node_config"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_worker_holds_a_trial_of_the_paper_study(cloud: str) -> None:
    trial = compose_config(["study=paper", "data=freihand", "data.root=x"]).trial
    resources = load(cloud)["available_node_types"]["gpu"]["resources"]
    assert resources["GPU"] >= trial.gpus
    assert resources["CPU"] >= trial.cpus


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_but_ssh_is_reachable_and_a_token_is_asked_for(cloud: str) -> None:
    config = load(cloud)
    assert "IpPermissions" not in config["provider"].get("security_group", {})
    (head,) = (line for line in config["head_start_ray_commands"] if "--head" in line)
    assert "--dashboard-host=127.0.0.1" in head
    assert "~/.ray/auth_token" in config["file_mounts"]
    assert "${RAY_AUTH_TOKEN}" not in str(config)
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    for line in starts:
        assert "ray start" not in line or "RAY_AUTH_MODE=token ray start" in line


# Kubernetes manifests -------------------------------------------------------------------------


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


# The part of KubeRay's custom resources that the manifests use; a key beyond it is refused. Names,
# types and defaults are from KubeRay's ray-operator/apis/ray/v1/{raycluster,rayjob}_types.go (the
# source that the CRDs' openAPIV3Schema is generated from) and its API reference for authOptions
# (1.5.1); those of pods from Kubernetes' core/v1.
_STRING: dict[str, Any] = {"type": "string"}
_STRINGS = {"type": "object", "additionalProperties": _STRING}  # numbers must be quoted
_COUNT = {"type": "integer", "minimum": 0}
_QUANTITIES = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": r"^\d+(\.\d+)?(m|[KMGT]i?)?$"},
    "required": ["cpu", "memory"],
}
_CONTAINER = _object(
    ("name", "image", "resources"),
    name=_STRING,
    image=_STRING,
    ports={
        "type": "array",
        "items": _object(
            ("name", "containerPort"),
            name={"type": "string", "maxLength": 15},
            containerPort={"type": "integer", "minimum": 1, "maximum": 65535},
        ),
    },
    resources=_object(("requests", "limits"), requests=_QUANTITIES, limits=_QUANTITIES),
    volumeMounts={
        "type": "array",
        "items": _object(("name", "mountPath"), name=_STRING, mountPath=_STRING),
    },
)
_VOLUME = _object(
    ("name",),
    name=_STRING,
    persistentVolumeClaim=_object(("claimName",), claimName=_STRING),
    emptyDir=_object(medium={"enum": ["", "Memory"]}, sizeLimit=_STRING),
)
_TOLERATION = _object(
    key=_STRING,
    operator={"enum": ["Exists", "Equal"]},
    value=_STRING,
    effect={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
)
_TEMPLATE = _object(
    ("spec",),
    spec=_object(
        ("containers",),
        containers={"type": "array", "minItems": 1, "items": _CONTAINER},
        volumes={"type": "array", "items": _VOLUME},
        nodeSelector=_STRINGS,
        tolerations={"type": "array", "items": _TOLERATION},
        terminationGracePeriodSeconds=_COUNT,
    ),
)
_CLUSTER = _object(
    ("headGroupSpec", "rayVersion"),
    rayVersion=_STRING,
    authOptions=_object(mode={"enum": ["disabled", "token"]}),
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=_object(
        upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
        idleTimeoutSeconds=_COUNT,
    ),
    headGroupSpec=_object(
        ("rayStartParams", "template"),
        serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
        rayStartParams=_STRINGS,
        template=_TEMPLATE,
    ),
    workerGroupSpecs={
        "type": "array",
        "items": _object(
            ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
            groupName=_STRING,
            replicas=_COUNT,
            minReplicas=_COUNT,
            maxReplicas=_COUNT,
            rayStartParams=_STRINGS,
            template=_TEMPLATE,
        ),
    },
)
_JOB = _object(
    ("entrypoint", "rayClusterSpec"),
    entrypoint=_STRING,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
    backoffLimit=_COUNT,
    shutdownAfterJobFinishes={"type": "boolean"},
    ttlSecondsAfterFinished=_COUNT,
    rayClusterSpec=_CLUSTER,
)


def _resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "ray.io/v1"},
        kind={"const": kind},
        metadata=_object(name=_STRING, generateName=_STRING),
        spec=spec,
    )


SCHEMAS = {
    "kuberay-raycluster": _resource("RayCluster", _CLUSTER),
    "kuberay-rayjob": _resource("RayJob", _JOB),
}


def cluster_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]
    cluster: dict[str, Any] = spec.get("rayClusterSpec", spec)
    return cluster


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifest_uses_only_fields_that_kuberay_has(name: str) -> None:
    jsonschema.validate(load(name), SCHEMAS[name])


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda cluster: cluster.update(autoscalingOptions={}),
        lambda cluster: cluster["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
        lambda cluster: cluster["workerGroupSpecs"][0].update(maxReplica=3),
        lambda cluster: cluster["workerGroupSpecs"][0].pop("minReplicas"),
        lambda cluster: cluster["authOptions"].update(mode="password"),
    ],
)
def test_a_slip_in_the_manifest_is_found(
    name: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    manifest = copy.deepcopy(load(name))
    spoil(cluster_of(manifest))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, SCHEMAS[name])


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


# All of them ----------------------------------------------------------------------------------


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
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        subprocess.run([shellcheck, str(script)], check=True, timeout=60)


def test_slurm_starts_ray_on_every_machine_with_a_subcommand_that_ray_has() -> None:
    text = (LAUNCH / "slurm.sh").read_text()
    assert "ray symmetric-run --address" in text
    done = subprocess.run(
        [Path(sys.executable).with_name("ray"), "symmetric-run", "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert {"--address", "--min-nodes"} <= set(re.findall(r"--[a-z-]+", done.stdout))
