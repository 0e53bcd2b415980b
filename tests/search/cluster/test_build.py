"""The store built on a local Ray, as a user starts it: the very store of the local build."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from handssl.data import build_store, open_store, read_freihand
from handssl.data.store.manifest import Manifest, read_manifest
from handssl.errors import DataError
from search.cli import main
from search.cluster.build import build
from search.config.schema import StoreConfig
from tests.data.raw_folders import write_freihand

COMMAND = Path(__file__).resolve().parents[3] / "search" / "build_store.py"
POSES = 640  # times four versions: five shards


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw folder with one corrupt image."""
    root = write_freihand(tmp_path_factory.mktemp("raw") / "freihand", poses=POSES)
    (root / "training/rgb/00000700.jpg").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def local(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return build_store(
        read_freihand(root), tmp_path_factory.mktemp("local") / "store", processes=1
    )


def command(root: Path, store: Path, *more: str) -> list[str]:
    data = ["data=freihand", f"data.root={root}", f"data.store={store}"]
    cluster = ["cluster.cpus=1", "cluster.dashboard=false"]
    return [sys.executable, str(COMMAND), *data, *cluster, *more]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.long
def test_a_store_built_on_ray_killed_and_continued_is_that_of_the_local_build(
    root: Path, local: Manifest, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shards = store / "shards"
    with subprocess.Popen(
        command(root, store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 300
        while not list(shards.glob("*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=180)
    assert not alive, "Ray's processes outlived their driver"
    with pytest.raises(DataError, match="half-built"):
        open_store(store)
    kept = {path: path.stat().st_mtime_ns for path in shards.glob("*.parquet")}
    assert 1 <= len(kept) < 5

    done = run(command(root, store))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("expected: 2,560 images: store ")
    assert f"complete: {store}, " in done.stdout
    assert "1 images" in done.stdout
    assert "00000700.jpg" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list(store.rglob("*.part"))
    assert read_manifest(store) == local
    assert local.counts["images"] == POSES * 4 - 1
    assert [file for file, _ in local.skipped] == ["training/rgb/00000700.jpg"]
    # Pixels are decoded as well: the search opens it at once, and Ray is not even started.
    assert {".json", ".npy"} <= {path.suffix for path in (store / "decoded").iterdir()}
    again = run(command(root, store, "cluster.address=127.0.0.1:1"))
    assert again.returncode == 0, again.stderr
    assert "expected" not in again.stdout


@pytest.mark.long
def test_what_a_strict_worker_refuses_is_said_in_one_line(root: Path, tmp_path: Path) -> None:
    done = run(command(root, tmp_path / "store", "data.strict=true"))
    assert done.returncode == 2, done.stdout
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("refused: training/rgb/00000700.jpg: not a complete image")


def test_the_plan_is_a_forecast_and_writes_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(root, tmp_path / "store", "plan=true")[2:]
    assert main("store", StoreConfig, build, "", arguments) == 0
    assert capsys.readouterr().out.startswith("expected: 2,560 images: store ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["study.epochs=3", "search=tpe", "data.bxes=centre"])
def test_keys_of_the_search_are_refused(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("store", StoreConfig, build, "", [key]) == 2
    assert "refused" in capsys.readouterr().err
