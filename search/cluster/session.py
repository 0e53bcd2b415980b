"""Start a local Ray or join a cluster, and disconnect at the end."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ray

from handssl.allocator import KEEP_FREED_MEMORY
from handssl.errors import ConfigError
from search.cluster.ray_internals import loopback_only
from search.config.schema import ClusterConfig

_SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # send nothing without being asked
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # we write records and TensorBoard files
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # the last report of a failed trial has no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # nobody reads Tune's snapshot
    **KEEP_FREED_MEMORY,
}

_MAX_PENDING: Final = 16
"""Trials that wait for resources on a cluster: the demand that its autoscaler sees."""


@contextmanager
def cluster_session(config: ClusterConfig, *, verbose: bool) -> Iterator[str]:
    """Start a local Ray or join a cluster, and disconnect at the end.

    Yields the address of Ray's dashboard, which is empty if none is served.

    Raises:
        ConfigError: There is no cluster at `cluster.address`.
    """
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    # Records and the display report failures, and records hold the tracebacks.
    level = logging.INFO if verbose else logging.CRITICAL
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(level)
    local = config.address == "local"
    if not local:
        # By default one trial waits for resources, and the cluster grows by one node at a time.
        os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(_MAX_PENDING))
    try:
        with loopback_only(enabled=local) as loopback:
            context = ray.init(
                address=config.address,
                log_to_driver=verbose,
                logging_level=level,
                **(_local_arguments(config) if local else {}),
                **loopback,
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


def _local_arguments(config: ClusterConfig) -> dict[str, Any]:
    # A local cluster is never preempted; disabling the watcher saves 0.7 % of a core.
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    arguments: dict[str, Any] = {
        "num_cpus": config.cpus,
        "num_gpus": config.gpus,
        "include_dashboard": config.dashboard,
    }
    if config.dashboard:
        # Ray asks this address to release the resources of a stopped trial. Without it Ray
        # searches for a cluster, and gives up if another one runs on this machine.
        port = _free_port()
        arguments["dashboard_port"] = port
        os.environ["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{port}"
    return arguments


def _free_port() -> int:
    """The default port of the dashboard, or another one if that is in use."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 8265))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
