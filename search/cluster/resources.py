"""CPUs and GPUs: how many trials they hold, and whether a trial can ever run.

Ray counts resources in 1/10000, and a share of a GPU lies on one device: a GPU holds five shares
of 0.2, and four GPUs hold twelve shares of 0.3. So amounts are compared as whole numbers of
1/10000; floats would give 1 // 0.2 = 4.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import ray
import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from handssl.errors import ConfigError
from search.config.schema import ClusterConfig, TrialConfig

_UNITS: Final = 10_000
_WRONG_CONTENT: Final = (KeyError, TypeError, ValueError, AttributeError)


class NodeGroup(NamedTuple):
    """Nodes of one kind; the autoscaler starts `max_nodes`, each with "CPU", "GPU" and others."""

    name: str
    max_nodes: int
    resources: Mapping[str, float]


def local_resources(cluster: ClusterConfig) -> tuple[int, int]:
    """CPUs and GPUs of a local Ray."""
    cpus = cluster.cpus or os.cpu_count() or 1
    return cpus, torch.cuda.device_count() if cluster.gpus is None else cluster.gpus


def running_resources() -> tuple[float, float]:
    """CPUs and GPUs of the Ray that is running."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources.get("CPU", 1), resources.get("GPU", 0)


def fit_at_once(trial: TrialConfig, cpus: float, gpus: float | None = None) -> int:
    """How many trials run at the same time, at least one.

    Trials take their largest number of workers; an elastic one also runs on fewer. GPUs do not
    limit the number if `gpus` is None.
    """
    workers = _workers_on(trial, cpus, gpus)
    full, rest = divmod(workers, trial.max_workers)
    return max(1, full + (trial.elastic and rest >= trial.min_workers))


def check_resources(trial: TrialConfig, cluster: ClusterConfig) -> None:
    """Refuse a trial that would wait for ever.

    Raises:
        ConfigError: Neither this machine nor the largest size of the cluster can hold it.
    """
    if trial.gpus > 1 and trial.gpus != int(trial.gpus):
        raise ConfigError(
            f"trial.gpus must be a whole number above 1, but got trial.gpus={trial.gpus:g}; a "
            "share of a GPU is below 1"
        )
    for name, amount in (("cpus", trial.cpus), ("gpus", trial.gpus)):
        if abs(amount * _UNITS - _units(amount)) > 1e-6:
            raise ConfigError(
                f"trial.{name} must be a multiple of 0.0001, but got trial.{name}={amount}"
            )
    if cluster.address != "local":
        groups = autoscaler_limits(Path(cluster.autoscaler).expanduser())
        if groups is not None:
            check_cluster_capacity(trial, groups)
        return
    cpus, gpus = local_resources(cluster)
    workers = _workers_on(trial, cpus, gpus)
    if workers < trial.min_workers:
        raise ConfigError(
            f"{_demand(trial)} each must fit on this machine, but its {cpus} CPUs and {gpus} GPUs "
            f"hold {workers}; lower one of them, or use cluster=auto"
        )


def autoscaler_limits(path: Path) -> list[NodeGroup] | None:
    """The node groups of an autoscaler's file; None if it does not exist.

    None also if a group does not state its resources, because Ray asks the cloud for them.

    Raises:
        ConfigError: The file is not one of an autoscaler.
    """
    if not path.exists():
        return None
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
        max_nodes = int(content.get("max_workers", 2))  # Ray's default
        groups = []
        for name, node in content["available_node_types"].items():
            head = name == content.get("head_node_type")
            limit = 1 if head else min(max_nodes, int(node.get("max_workers", max_nodes)))
            resources = {str(k): float(v) for k, v in (node.get("resources") or {}).items()}
            groups.append(NodeGroup(str(name), limit, resources))
    except (OSError, YAMLError, OmegaConfBaseException, *_WRONG_CONTENT) as error:
        raise ConfigError(
            f"cluster.autoscaler must be the file passed to `ray up`, but got "
            f"cluster.autoscaler={path} ({type(error).__name__}: {error})"
        ) from error
    return groups if all("CPU" in group.resources for group in groups) else None


def check_cluster_capacity(trial: TrialConfig, groups: list[NodeGroup]) -> None:
    """Refuse, with the capacity of each group, a trial that never fits on a cluster."""
    total, capacity = 0, []
    for name, nodes, resources in groups:
        cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
        workers = nodes * _workers_on(trial, cpus, gpus)
        total += workers
        capacity.append(f"{name}: {nodes} x ({cpus:g} CPU, {gpus:g} GPU) holds {workers}")
    if total < trial.min_workers:
        raise ConfigError(
            f"{_demand(trial)} each must fit on the cluster, but its largest size is "
            f"{', '.join(capacity)}; lower one of them, or raise max_workers of the cluster"
        )


def _demand(trial: TrialConfig) -> str:
    return (
        f"trial.workers={trial.workers_text} of trial.cpus={trial.cpus:g} and "
        f"trial.gpus={trial.gpus:g}"
    )


def _workers_on(trial: TrialConfig, cpus: float, gpus: float | None) -> int:
    """How many workers of a trial run at the same time on one node, or on the whole of a Ray."""
    workers = _units(cpus) // _units(trial.cpus)
    if trial.gpus <= 0 or gpus is None:
        return workers
    if trial.gpus < 1:
        return min(workers, int(gpus) * (_UNITS // _units(trial.gpus)))
    return min(workers, int(gpus) // int(trial.gpus))


def _units(amount: float) -> int:
    return round(amount * _UNITS)
