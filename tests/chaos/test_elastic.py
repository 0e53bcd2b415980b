"""Trials whose number of workers changes: the batch stays the same, and so do the losses."""

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

import psutil
import pytest
from ray._private.services import get_node_ip_address

from tests.search.running import (
    assert_complete,
    await_that,
    command_has,
    curves,
    free_port,
    run_grid,
    started,
)

pytestmark = pytest.mark.long

ONE_TRIAL = (
    "search.augmentations=[rotate]",
    "cluster.dashboard=true",
    "~search.objectives.relative",
    # Small steps: what rounding does to one does not multiply over the next.
    "trial.pretrain.optimizer.base_lr=1e-6",
)


def rows(results: Path) -> list[dict[str, object]]:
    """The reports of the only trial."""
    return next(iter(curves(results).values()), [])


def losses(results: Path) -> list[float]:
    return [loss for row in rows(results) for loss in row["losses"]]  # type: ignore[attr-defined]


@dataclass
class Cluster:
    """Nodes of one CPU each, that come and go, behind a head without any."""

    folder: Path
    port: int = field(default_factory=free_port)
    dashboard: int = field(default_factory=free_port)
    nodes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{get_node_ip_address()}:{self.port}"  # type: ignore[no-untyped-call]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "disabled",
            # Ray's cleaner looks for a cluster, and this machine may have several.
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{self.dashboard}",
        }

    def start(self, *options: str) -> None:
        log = self.folder / f"{len(self.nodes)}.log"
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", *options]
        command += ["--object-store-memory=100000000", "--disable-usage-stats"]
        with log.open("w") as file:
            node = subprocess.Popen(
                command,
                env={name: v for name, v in self.environment.items() if name != "RAY_ADDRESS"},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.nodes.append(node)
        deadline = time.monotonic() + 120
        while "Ray runtime started" not in log.read_text():
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)

    def head(self) -> None:
        names = ["ray-client-server-port", "metrics-export-port"]
        names += ["dashboard-agent-listen-port", "dashboard-agent-grpc-port"]
        ports = [f"--{name}={free_port()}" for name in names]
        temporary = f"--temp-dir={self.folder}"
        ports += [f"--port={self.port}", f"--dashboard-port={self.dashboard}"]
        self.start("--head", "--num-cpus=0", temporary, *ports)

    def grow(self) -> int:
        """Add a node; returns its number."""
        self.start(f"--address={self.address}", "--num-cpus=1")
        return len(self.nodes) - 1

    def pause(self, seconds: float) -> None:
        """Let training rest, so that there is time for a node to be noticed in mid-trial."""
        workers = [
            child
            for node in self.nodes
            for child in psutil.Process(node.pid).children(recursive=True)
            if command_has(child, "RayTrainWorker")
        ]
        for worker in workers:
            worker.suspend()
        time.sleep(seconds)
        for worker in workers:
            worker.resume()

    def lose(self, number: int) -> None:
        """Kill a node as a spot machine goes: all of it at once."""
        node = psutil.Process(self.nodes[number].pid)
        for process in [*node.children(recursive=True), node]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # Sockets lie in it, whose paths may not be longer than some 100 letters.
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="el", dir="/tmp")))
    try:
        cluster.head()
        yield cluster
    finally:
        for number, node in enumerate(cluster.nodes):
            with suppress(psutil.NoSuchProcess):
                cluster.lose(number)
            node.wait(20)
        # Only what this test started: its folder has a name of its own.
        for process in psutil.process_iter():
            if process.pid != os.getpid() and command_has(process, str(cluster.folder)):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
        shutil.rmtree(cluster.folder, ignore_errors=True)


def held(cluster: Cluster) -> str:
    """What placement groups of this cluster still hold."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import ray; ray.init(address='auto', log_to_driver=False)\n"
            "from ray.util import placement_group_table as table\n"
            "print([g for g in table().values() if g['state'] != 'REMOVED'])",
        ],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_an_elastic_trial_grows_with_the_cluster_and_outlives_a_lost_node(
    cluster: Cluster, base: list[str], tmp_path: Path
) -> None:
    base = [*base, *ONE_TRIAL, "study.epochs=40"]
    base += ["trial.pretrain.checkpoint_every=2"]
    elastic = ("cluster=auto", "trial.workers=[1,2]", "trial.resize_s=2", "search.retries=3")
    first = cluster.grow()
    changed, alone = tmp_path / "changed", tmp_path / "alone"
    changed.mkdir()
    alone.mkdir()

    def with_workers(count: int, *, after: int = 0) -> bool:
        return any(row["workers"] == count for row in rows(changed)[after:])

    with started(base, changed, *elastic, environment=cluster.environment) as process:
        await_that(process, lambda: with_workers(1))
        cluster.grow()
        cluster.pause(25.0)  # Ray Train looks for new nodes every 20 s
        await_that(process, lambda: with_workers(2))
        cluster.lose(first)
        lost = len(rows(changed))
        await_that(process, lambda: with_workers(1, after=lost - 2))
        out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, (out, errors)
    assert_complete(changed, trials=1)
    assert held(cluster) == "[]"
    print([row["workers"] for row in rows(changed)])
    assert run_grid(base, alone).returncode == 0
    assert losses(changed) == pytest.approx(losses(alone), rel=1e-3)
