"""How much a cluster can ever give: what its autoscaler may start, before it has started it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from handssl.errors import ConfigError
from search.config.schema import TrialConfig

_NOT_ONE = (KeyError, TypeError, ValueError, AttributeError)


class NodeGroup(NamedTuple):
    """Nodes of one kind.

    Attributes:
        name: Of the group.
        most: How many there may be.
        resources: Of each node: "CPU", "GPU" and others.
    """

    name: str
    most: int
    resources: Mapping[str, float]


def node_groups(path: Path) -> list[NodeGroup] | None:
    """The groups of an autoscaler's file; None where there is no such file.

    Groups whose resources are not written down (Ray asks the cloud for them) make the answer None
    as well: nothing is known then.

    Raises:
        ConfigError: The file is none of an autoscaler.
    """
    if not path.exists():
        return None
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
        head, types = content.get("head_node_type"), content["available_node_types"]
        ceiling = int(content.get("max_workers", 2))  # Ray's own default
        groups = [
            NodeGroup(
                name=str(name),
                most=1 if name == head else min(ceiling, int(own.get("max_workers", ceiling))),
                resources={str(k): float(v) for k, v in (own.get("resources") or {}).items()},
            )
            for name, own in types.items()
        ]
    except (OSError, YAMLError, OmegaConfBaseException, *_NOT_ONE) as error:
        raise ConfigError(
            f"cluster.autoscaler must be the file that `ray up` was given, but {path} is none "
            f"({type(error).__name__}: {error})"
        ) from error
    return groups if all("CPU" in group.resources for group in groups) else None


def check_ceiling(trial: TrialConfig, groups: list[NodeGroup]) -> None:
    """Refuse a trial that would wait for ever: no number of nodes holds its workers.

    Raises:
        ConfigError: With what each group can give.
    """
    each = {"CPU": trial.cpus, "GPU": trial.gpus}
    able = {group.name: group.most * _workers_on(group, each) for group in groups}
    if sum(able.values()) < trial.min_workers:
        given = ", ".join(
            f"{group.name}: {group.most} x ({group.resources.get('CPU', 0):g} CPU, "
            f"{group.resources.get('GPU', 0):g} GPU) holds {able[group.name]}"
            for group in groups
        )
        raise ConfigError(
            f"trial.workers={trial.workers_shown} of {trial.cpus:g} CPU and {trial.gpus:g} GPU "
            f"each can never all be held by this cluster ({given}); lower trial.workers, "
            "trial.cpus or trial.gpus, or raise max_workers of the cluster"
        )


def _workers_on(group: NodeGroup, each: Mapping[str, float]) -> int:
    """Workers that one node holds."""
    fits = [group.resources.get(kind, 0.0) / amount for kind, amount in each.items() if amount > 0]
    return math.floor(min(fits) + 1e-9)
