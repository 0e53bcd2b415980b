import os
from typing import Any

import psutil
import pytest
import ray

from handssl.allocator import KEEP_FREED_MEMORY
from handssl.errors import ConfigError
from search.cluster.ray_internals import HEAD_RESOURCE
from search.cluster.session import cluster_session
from search.config.schema import ClusterConfig


def _allocator() -> dict[str, str]:
    return {name: os.environ[name] for name in KEEP_FREED_MEMORY}


def test_nothing_of_a_cluster_that_is_started_here_listens_beyond_this_machine() -> None:
    with cluster_session(ClusterConfig(cpus=1), verbose=False) as dashboard:
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        assert HEAD_RESOURCE in resources, f"Ray {ray.__version__} has {sorted(resources)}"
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
    beyond = listening - {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert not beyond, f"Ray {ray.__version__} listens on {beyond}, see loopback_only"


def test_a_cluster_that_does_not_run_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Ray itself would look at every process of the machine, and find the cluster of another test.
    def nowhere(**options: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nMore.")

    monkeypatch.setattr("ray.init", nowhere)
    with (
        pytest.raises(ConfigError, match=r"cluster\.address=auto .*running Ray.*cluster=local"),
        cluster_session(ClusterConfig(address="auto"), verbose=False),
    ):
        pass
