"""Ray's own autoscaler on one machine: nodes are processes, started and stopped by its demand."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray._private.services import get_node_ip_address

from handssl import records
from tests.search.running import command, command_has, free_port

pytestmark = pytest.mark.long

HEAD_ID = "f" * 51 + "00000"  # by which the provider knows the head among its nodes
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
NODES = 2
EPOCHS = 8  # long enough to be killed in the middle


def autoscaling(address: str) -> dict[str, Any]:
    """What `ray up` would write: an external provider whose nodes are processes here."""
    lists = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray")
    return {
        "cluster_name": "fake",
        "max_workers": NODES,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        "docker": {},
        "auth": {},
        "provider": {
            "type": "external",
            "module": PROVIDER,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
        },
        "available_node_types": {
            "ray.head.default": {
                "resources": {"CPU": 0},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 0,
            },
            "worker": {
                "resources": {"CPU": 1, "object_store_memory": 100_000_000},
                "node_config": {},
                "min_workers": 0,
                "max_workers": NODES,
            },
        },
        "head_node_type": "ray.head.default",
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        "worker_start_ray_commands": [],
        **{f"{name}_commands": [] for name in lists},
    }


@dataclass(frozen=True)
class Cluster:
    address: str
    process: psutil.Process

    def nodes(self) -> list[psutil.Process]:
        """The worker nodes: raylets that the autoscaler started, not the head's own."""
        with suppress(psutil.NoSuchProcess):
            return [
                child
                for child in self.process.children(recursive=True)
                if child.name() == "raylet" and alive(child) and not command_has(child, "--head")
            ]
        return []


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def trains(node: psutil.Process) -> bool:
    """Whether a trial is being trained on a node, at this moment."""
    with suppress(psutil.NoSuchProcess):
        return any(command_has(child, "Trainable.train") for child in node.children())
    return False


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head without CPUs and an autoscaler that may start nodes of one CPU each."""
    # Sockets lie in it, whose paths may not be longer than some 100 letters.
    folder = Path(tempfile.mkdtemp(prefix="as", dir="/tmp"))
    port = free_port()
    address = f"{get_node_ip_address()}:{port}"  # type: ignore[no-untyped-call]
    (folder / "autoscaling.json").write_text(json.dumps(autoscaling(address)))
    start = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=0",
        "--include-dashboard=false",
        f"--temp-dir={folder}",
        "--object-store-memory=100000000",
        f"--autoscaling-config={folder}/autoscaling.json",
        "--disable-usage-stats",
        *(
            f"--{name}={free_port()}"
            for name in (
                "ray-client-server-port",
                "metrics-export-port",
                "dashboard-agent-listen-port",
                "dashboard-agent-grpc-port",
            )
        ),
    ]
    settings = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    }
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            start,
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while "Ray runtime started" not in (folder / "head.log").read_text():
            assert head.poll() is None, (folder / "head.log").read_text()
            assert time.monotonic() < deadline, (folder / "head.log").read_text()
            time.sleep(0.2)
        yield Cluster(address=address, process=psutil.Process(head.pid))
    finally:
        head.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            head.wait(20)
        # Only what this test started: its folder has a name of its own.
        for process in psutil.process_iter():
            if process.pid != os.getpid() and command_has(process, str(folder)):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        head.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Seen:
    """Process ids of nodes: what happened to them while a study ran."""

    most: int = 0
    trained_on: set[int] = field(default_factory=set)
    lost: int | None = None


def lose_a_node_while(study: "subprocess.Popen[bytes]", cluster: Cluster, results: Path) -> Seen:
    """Watch a study; kill a node as soon as every node is in the middle of a trial."""
    seen = Seen()
    deadline = time.monotonic() + 240
    while study.poll() is None:
        assert time.monotonic() < deadline, (results / "study.log").read_text()
        nodes = cluster.nodes()
        busy = [node for node in nodes if trains(node)]
        seen.most = max(seen.most, len(nodes))
        seen.trained_on |= {node.pid for node in busy}
        begun = list((results / "small" / "trials").glob("*/checkpoint.pt"))
        if seen.lost is None and len(busy) == len(begun) == NODES:
            seen.lost = busy[0].pid
            busy[0].kill()
        time.sleep(0.1)
    return seen


def test_a_study_grows_a_cluster_survives_a_lost_node_and_gives_all_back(
    cluster: Cluster, embedded: Path, smallest: tuple[str, ...], tmp_path: Path
) -> None:
    assert cluster.nodes() == []
    overrides = ["search.augmentations=[rotate]", "search.repeats=2", f"study.epochs={EPOCHS}"]
    call = [*command(embedded, smallest), *overrides, "cluster=auto", f"results={tmp_path}"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address, "RAY_AUTH_MODE": "disabled"}
    with (tmp_path / "study.log").open("w") as log:
        study = subprocess.Popen(call, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        seen = lose_a_node_while(study, cluster, tmp_path)
    finally:
        study.kill()  # does nothing to one that has ended
    said = (tmp_path / "study.log").read_text()
    assert study.returncode == 0, said
    assert "complete: 4 trials" in said
    assert seen.most == NODES
    assert seen.lost is not None
    assert len(seen.trained_on) >= NODES
    found = records.read_records(tmp_path / "small")
    assert len(found) == 4
    for trial, record in found.items():
        assert record.status == "finished"
        rows = records.read_jsonl(tmp_path / "small" / "trials" / trial / "metrics.jsonl")
        assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))

    deadline = time.monotonic() + 60
    while cluster.nodes():
        assert time.monotonic() < deadline, "idle nodes were not given back"
        time.sleep(0.5)
