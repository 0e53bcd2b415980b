import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handssl.data import read_freihand
from handssl.errors import ConfigError, DataError
from handssl.synthetic import generate_freihand
from tests.synthetic.conftest import contents

CALL: dict[str, Any] = {"poses": 5, "versions": 3, "evaluation": 2, "seed": 3, "workers": 1}


def generate(root: Path, **changes: Any) -> None:
    """The data set of these tests, or one with changed arguments."""
    generate_freihand(root, **{**CALL, **changes})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "freihand"
    generate(root)
    return root


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_the_folder_has_freihands_layout(finished: Path) -> None:
    names = set(contents(finished))
    images = {f"training/rgb/{number:08d}.jpg" for number in range(15)}
    images |= {f"training/mask/{number:08d}.jpg" for number in range(5)}
    images |= {f"evaluation/rgb/{number:08d}.jpg" for number in range(2)}
    labels = {f"{s}_{k}.json" for s in ("training", "evaluation") for k in ("K", "xyz", "scale")}
    assert names == images | labels | {"synthetic.json"}
    for split, count in (("training", 5), ("evaluation", 2)):
        shapes = {"K": (count, 3, 3), "xyz": (count, 21, 3), "scale": (count,)}
        for kind, shape in shapes.items():
            values = json.loads((finished / f"{split}_{kind}.json").read_text())
            assert np.array(values).shape == shape


def test_scale_file_equals_the_labels_bone(finished: Path) -> None:
    joints = np.array(json.loads((finished / "training_xyz.json").read_text()))
    scale = np.array(json.loads((finished / "training_scale.json").read_text()))
    np.testing.assert_allclose(
        np.linalg.norm(joints[:, 9] - joints[:, 10], axis=1), scale, atol=3e-8
    )


def test_bytes_do_not_depend_on_the_number_of_processes(finished: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate(tmp_path / "two", workers=2, progress=lambda done, total: seen.append((done, total)))
    assert contents(tmp_path / "two") == contents(finished)
    assert seen == [(done, 7) for done in range(1, 8)]


def test_a_killed_generation_continues_to_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    code = (
        "from pathlib import Path; from handssl.synthetic import generate_freihand; "
        f"generate_freihand(Path({str(root)!r}), **{CALL!r})"
    )
    project = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        while not (root / "training/rgb/00000001.jpg").exists():
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert (root / "synthetic.partial.json").exists()
    with pytest.raises(DataError, match="is only partly generated"):
        read_freihand(root)
    # What a kill in the middle of a write may leave behind:
    (root / "training/rgb/.0badf00d.partial.00000003.jpg").write_bytes(b"half")
    # And a loss of power after it, on some file systems:
    (root / "training/rgb/00000001.jpg").write_bytes(b"")
    first = (root / "training/rgb/00000000.jpg").stat().st_mtime_ns
    generate(root)
    assert (root / "training/rgb/00000000.jpg").stat().st_mtime_ns == first
    assert contents(root) == contents(finished)


def test_two_processes_that_generate_at_once_make_one_whole_folder(
    finished: Path, tmp_path: Path
) -> None:
    root = tmp_path / "both"
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=generate, args=(root,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert contents(root) == contents(finished)


def test_a_complete_folder_is_left_as_it_is(copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    generate(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


@pytest.mark.parametrize(
    "name", ["training_xyz.json", "training/rgb/00000007.jpg", "training/mask/00000001.jpg"]
)
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_folder_is_refused(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(DataError, match=r"is missing or changed; delete the folder"):
        generate(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, r"seed=3 instead of seed=4"),
        ({"poses": 6}, r"'poses': 5.* instead of .*'poses': 6"),
        ({"versions": 4}, r"'versions': 3.* instead of .*'versions': 4"),
        ({"uniform_views": 1.0}, r"instead of .*'uniform_views': 1.0"),
        ({"poses": 0}, "poses must be >= 1, but got poses=0"),
        ({"versions": 0}, "versions must be >= 1, but got versions=0"),
        ({"evaluation": -1}, "evaluation must be >= 0, but got evaluation=-1"),
        ({"seed": -1}, "seed must be >= 0, but got seed=-1"),
        ({"uniform_views": 1.5}, "uniform_views must be a share from 0 to 1"),
    ],
)
def test_other_requests_and_impossible_counts_are_refused(
    finished: Path, change: dict[str, Any], message: str
) -> None:
    before = contents(finished)
    with pytest.raises((ConfigError, DataError), match=message):
        generate(finished, **change)
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "which holds other files"),
        ("holiday.jpg", "a file; name another path"),
        ("holiday.jpg/below", "must be a folder that can be written"),
        ("marked", r"a readable synthetic\.json"),
    ],
)
def test_other_folders_and_files_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"sun")
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / "synthetic.json").write_text('{"look":')
    before = contents(tmp_path)
    with pytest.raises(DataError, match=message):
        generate(tmp_path / name)
    assert contents(tmp_path) == before
