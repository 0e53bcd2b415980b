"""Build a store from a generated folder of many small JPEGs: images/s, peak memory, bytes.

    python benchmarks/data_scale.py --dataset freihand --images 130240 --processes 2
    python benchmarks/data_scale.py --dataset interhand --images 100000 --processes 2

Images are small so that labels, files and bookkeeping dominate, not decoding: FreiHAND's layout
with 64 px squares and as many poses as a quarter of the images; InterHand2.6M's with a quarter of
its real sides (128×84 px, focal length 312 px, hands 1 m away) and stored squares of 56 px, a
quarter of 224, so that crops reach over the images' border as they do in the real data.
"""

import argparse
import contextlib
import json
import multiprocessing
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from rich.console import Console

from handssl.data import StoreOptions, build_store, open_store
from handssl.data.raw.datasets import DATASETS
from handssl.skeleton import INTERHAND_TO_FREIHAND

SIDE_PX = 64
WIDTH_PX, HEIGHT_PX = 128, 84
STORED_PX = {"freihand": 224, "interhand": 56}


def _poses(
    count: int, generator: np.random.Generator, depth_m: float
) -> np.ndarray[Any, np.dtype[np.float64]]:
    joints = generator.uniform(-0.08, 0.08, (count, 21, 3))
    joints[..., 2] += depth_m
    return joints


def _write_images(
    paths: list[Path], generator: np.random.Generator, size_px: tuple[int, int]
) -> None:
    for path in paths:
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize(size_px, Image.Resampling.BILINEAR)
        image.save(path, "JPEG")


def make_freihand(root: Path, images: int) -> None:
    """Four versions of images / 4 poses."""
    generator = np.random.default_rng(0)
    folder = root / "training" / "rgb"
    folder.mkdir(parents=True)
    joints = _poses(images // 4, generator, 0.7)
    scale = np.linalg.norm(joints[:, 9] - joints[:, 10], axis=1)
    camera = [[200.0, 0, 31.5], [0, 200.0, 31.5], [0, 0, 1]]
    labels = {"K": [camera] * len(joints), "xyz": joints.tolist(), "scale": scale.tolist()}
    for kind, content in labels.items():
        (root / f"training_{kind}.json").write_text(json.dumps(content))
    paths = [folder / f"{index:08d}.jpg" for index in range(4 * len(joints))]
    _write_images(paths, generator, (SIDE_PX, SIDE_PX))


def make_interhand(root: Path, images: int) -> None:
    """50 cameras of every pose, written with InterHand's indentation."""
    generator = np.random.default_rng(0)
    cameras, per_capture = 50, 100
    joints = _poses(images // cameras, generator, 1.0) * 1000
    rig = {
        "campos": {str(c): [0, 0, 0] for c in range(cameras)},
        "camrot": {str(c): np.eye(3).tolist() for c in range(cameras)},
        "focal": {str(c): [312.0, 312.0] for c in range(cameras)},
        "princpt": {str(c): [63.5, 41.5] for c in range(cameras)},
    }
    poses: dict[str, dict[str, Any]] = {}
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    paths: list[Path] = []
    valid = [[1]] * 21 + [[0]] * 21
    for number, pose in enumerate(joints):
        capture, frame = divmod(number, per_capture)
        world = np.zeros((42, 3))
        world[list(INTERHAND_TO_FREIHAND)] = pose
        label = {"world_coord": world.tolist(), "joint_valid": valid, "hand_type": "right"}
        poses.setdefault(str(capture), {})[str(frame)] = label
        folder = root / "images" / "train" / f"Capture{capture}" / f"frame{frame}"
        folder.mkdir(parents=True)
        for camera in range(cameras):
            image = {
                "id": len(entries),
                "file_name": f"Capture{capture}/frame{frame}/{camera}.jpg",
                "width": WIDTH_PX,
                "height": HEIGHT_PX,
                "capture": capture,
                "camera": str(camera),
                "frame_idx": frame,
            }
            annotations.append(
                {"image_id": len(entries), "joint_valid": valid, "hand_type": "right"}
            )
            entries.append(image)
            paths.append(folder / f"{camera}.jpg")
    labels = root / "annotations" / "train"
    labels.mkdir(parents=True)
    captures = dict.fromkeys(poses, rig)
    data = {"images": entries, "annotations": annotations}
    for kind, content in {"data": data, "camera": captures, "joint_3d": poses}.items():
        with (labels / f"InterHand2.6M_train_{kind}.json").open("w") as file:
            json.dump(content, file, indent=4)
    _write_images(paths, generator, (WIDTH_PX, HEIGHT_PX))


MAKERS: dict[str, Callable[[Path, int], None]] = {
    "freihand": make_freihand,
    "interhand": make_interhand,
}


class WorkerMemory(threading.Thread):
    """Largest private memory of any child process, looked at five times a second.

    `RUSAGE_CHILDREN` would count the parent's own size, which a child has before it starts.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    memory = child.memory_info()
                    self.peak_mb = max(self.peak_mb, (memory.rss - memory.shared) / 2**20)
            time.sleep(0.2)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _private_mb() -> float:
    """Resident memory of this process that no file backs: what the page cache cannot give back."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - memory.shared) / 2**20


def opened_mb(store: Path, answer: "multiprocessing.Queue[tuple[float, float]]") -> None:
    """Private memory before and after a store is opened and all its labels were looked at."""
    before = _private_mb()
    opened = open_store(store)
    for labels in (opened.joints_m, opened.intrinsics, opened.valid, opened.groups):
        assert len(labels) == len(opened)
    for row in range(0, len(opened), 97):
        opened.pixels(np.array([row])).sum()  # pages of the memory map, which must not count
    answer.put((before, _private_mb()))


def main() -> None:
    """Generate if need be, build, decode, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", choices=sorted(MAKERS), default="freihand")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--root", type=Path, help="keep the generated folder here")
    parser.add_argument("--store", type=Path, help="keep the store here")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.root or Path(scratch) / "raw"
        if not root.exists():
            # In a child: its memory must not count.
            MAKERS[arguments.dataset](root, arguments.images)
            console.print(f"generated {root}; run again with --root for a clean memory figure")
        out = arguments.store or Path(scratch) / "store"
        before = _peak_mb()
        workers = WorkerMemory()
        workers.start()
        start = time.perf_counter()
        source = DATASETS[arguments.dataset].read(root, "train")
        indexed = time.perf_counter() - start
        start = time.perf_counter()
        manifest = build_store(
            source,
            out,
            StoreOptions(stored_px=STORED_PX[arguments.dataset]),
            processes=arguments.processes,
            announce=lambda expected: console.print(f"expected: {expected}"),
        )
        built = time.perf_counter() - start
        count = manifest.counts["images"]
        written = sum(shard["bytes"] for shard in manifest.shards)
        console.print(
            f"{arguments.dataset}: {count:,} images, {arguments.processes} processes: labels read "
            f"in {indexed:.1f} s, store built in {built:.1f} s ({count / built:.0f} images/s), "
            f"{written / count:.0f} bytes an image"
        )
        start = time.perf_counter()
        open_store(out).prepare(processes=arguments.processes)
        decoded = time.perf_counter() - start
        console.print(
            f"decoded in {decoded:.1f} s ({count / decoded:.0f} images/s); peak memory "
            f"{_peak_mb():.0f} MB in the parent ({before:.0f} MB before), "
            f"{workers.peak_mb:.0f} MB in the largest worker"
        )
        context = multiprocessing.get_context("spawn")
        answer: multiprocessing.Queue[tuple[float, float]] = context.Queue()
        child = context.Process(target=opened_mb, args=(out, answer))
        child.start()
        empty, full = answer.get()
        child.join()
        console.print(
            f"opened in a fresh process: {full:.0f} MB private memory, {empty:.0f} MB before"
        )
        if arguments.store is None:
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
