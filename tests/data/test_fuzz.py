"""Broken folders give one clear error or counted skips, never a traceback or a wrong label."""

import json
import shutil
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handssl.data import build_store, open_store
from handssl.data.raw.datasets import DATASETS
from handssl.errors import DataError

Mutation = Callable[[Any], object]

K, XYZ, SCALE = "training_K.json", "training_xyz.json", "training_scale.json"
DATA, CAMERA, POSES = (
    f"annotations/train/InterHand2.6M_train_{kind}.json" for kind in ("data", "camera", "joint_3d")
)


def later(function: Callable[..., Any]) -> Callable[..., Mutation]:
    """Take all arguments but the first now, and the first, a folder or JSON value, later."""
    return lambda *arguments, **options: lambda first: function(first, *arguments, **options)


@later
def _edit(root: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Replace a JSON file's content by `change` of it, or change it in place."""
    content = json.loads((root / name).read_text())
    result = change(content)
    (root / name).write_text(json.dumps(content if result is None else result))


@later
def _drop(content: Any, *keys: Any) -> None:
    """Remove an entry deep in a JSON value."""
    reduce(getitem, keys[:-1], content).pop(keys[-1])


@later
def _set(content: Any, *keys: Any, to: Any) -> None:
    """Set an entry deep in a JSON value."""
    parent = reduce(getitem, keys[:-1], content)
    parent[keys[-1]] = to(parent[keys[-1]]) if callable(to) else to


@later
def _scaled(content: Any, factor: float) -> Any:
    return (np.array(content) * factor).tolist()


@later
def _remove(root: Path, name: str) -> None:
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@later
def _write(root: Path, name: str, content: bytes) -> None:
    path = root / name
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content)


@later
def _cut(root: Path, name: str, share: float = 0.5) -> None:
    path = root / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@later
def _swap(root: Path, first: str, second: str) -> None:
    a, b = (root / first).read_bytes(), (root / second).read_bytes()
    (root / first).write_bytes(b)
    (root / second).write_bytes(a)


@later
def _all(root: Path, *mutations: Mutation) -> None:
    for mutate in mutations:
        mutate(root)


def _folder(name: str) -> Mutation:
    return _all(_remove(name), lambda root: (root / name).mkdir())


@later
def _rename(root: Path, old: str, new: str) -> None:
    (root / old).rename(root / new)


def _other_hands(poses: Any) -> Any:
    return (np.array(poses) * np.array([1.2, 0.8, 1.3, 0.7, 1.0, 1.1])[:, None, None]).tolist()


def _interacting(content: Any) -> None:
    for annotation in content["annotations"]:
        annotation["hand_type"] = "interacting"


RGB = "training/rgb"

# (what happened, mutation, what is expected: part of the error, or the number of skipped images)
FREIHAND: list[tuple[str, Mutation, str | int]] = [
    ("no K", _remove(K), "training_K.json"),
    ("no xyz", _remove(XYZ), "training_xyz.json"),
    ("no images folder", _remove(RGB), "training/rgb"),
    ("no training folder", _remove("training"), "training/rgb"),
    ("empty images folder", _folder(RGB), "0 images"),
    ("a file where the images should be", _write(RGB, b"x"), "training/rgb"),
    ("a folder where K should be", _folder(K), K),
    ("empty K", _write(K, b""), "not valid JSON"),
    ("empty list of K", _write(K, b"[]"), "0 poses"),
    ("K is an object", _write(K, b'{"a": [1]}'), "must be a list"),
    ("K is a number", _write(K, b"3"), "must be a list"),
    ("K cut off", _cut(K), "not valid JSON"),
    ("xyz cut off", _cut(XYZ, 0.9), "not valid JSON"),
    ("xyz is binary", _write(XYZ, bytes(range(256))), "not valid JSON"),
    ("xyz is a web page", _write(XYZ, b"<html>404</html>"), "not valid JSON"),
    ("K and xyz swapped", _swap(K, XYZ), "none of"),
    ("xyz and scale swapped", _swap(XYZ, SCALE), "none of"),
    ("one pose too few in xyz", _edit(XYZ, lambda c: c[:-1]), "5 poses"),
    ("one pose too many in K", _edit(K, lambda c: c + c[:1]), "6 poses"),
    ("one pose too few in scale", _edit(SCALE, lambda c: c[:-1]), "5 poses"),
    ("all labels one pose short", _all(*(_edit(n, lambda c: c[:-1]) for n in (K, XYZ, SCALE))),
     "not a multiple of the 5"),
    ("poses of other hands", _edit(XYZ, _other_hands), "contradict"),
    ("one pose of another hand", _edit(XYZ, _set(2, to=_scaled(1.2))), 4),
    ("a missing image", _remove(f"{RGB}/00000023.jpg"), "23 images"),
    ("a missing image in the middle", _remove(f"{RGB}/00000007.jpg"), "00000007.jpg"),
    ("an image of another name", _rename(f"{RGB}/00000007.jpg", f"{RGB}/99999999.jpg"), 1),
    ("a truncated JPEG", _cut(f"{RGB}/00000005.jpg"), 1),
    ("a JPEG cut in its header", _cut(f"{RGB}/00000005.jpg", 0.02), 1),
    ("an empty JPEG", _write(f"{RGB}/00000005.jpg", b""), 1),
    ("a text named JPEG", _write(f"{RGB}/00000005.jpg", b"hello"), 1),
    ("a folder named as an image", _folder(f"{RGB}/00000005.jpg"), 1),
    ("a NaN joint", _edit(XYZ, _set(1, 4, 2, to=float("nan"))), 4),
    ("an infinite joint", _edit(XYZ, _set(1, 4, 2, to=float("inf"))), 4),
    ("a missing coordinate", _edit(XYZ, _set(1, 4, to=[0.1, 0.2])), 4),
    ("20 joints", _edit(XYZ, _set(1, to=lambda pose: pose[:20])), 4),
    ("a null pose", _edit(XYZ, _set(1, to=None)), 4),
    ("a word for a coordinate", _edit(XYZ, _set(1, 4, 2, to="far")), 4),
    ("a NaN in K", _edit(K, _set(1, 0, 0, to=float("nan"))), 4),
    ("a negative focal length", _edit(K, _set(1, 0, 0, to=-150.0)), 4),
    ("K of another image size", _edit(K, _set(1, to=_scaled(8.0))), 4),
    ("a hand behind the camera", _edit(XYZ, _set(1, to=_scaled(-1.0))), 4),
    ("still being generated", _write("synthetic.partial.json", b"{}"), "only partly generated"),
    ("xyz in millimetres", _all(_edit(XYZ, _scaled(1000)), _remove(SCALE)), "not in metres"),
]  # fmt: skip

INTERHAND: list[tuple[str, Mutation, str | int]] = [
    ("no annotations", _remove("annotations"), "annotations/train"),
    ("no camera file", _remove(CAMERA), "camera.json is missing"),
    ("no joint file", _remove(POSES), "joint_3d.json is missing"),
    ("no images", _remove("images"), "images/train"),
    ("a file where the images should be", _write("images", b"x"), "images/train"),
    ("camera file cut off", _cut(CAMERA), "camera.json"),
    ("data file cut off", _cut(DATA), "not valid JSON"),
    ("data and joint files swapped", _swap(DATA, POSES), "images"),
    ("camera and joint files swapped", _swap(CAMERA, POSES), "campos"),
    ("data is a list", _write(DATA, b"[1, 2]"), "images"),
    ("no annotations in data", _edit(DATA, lambda c: {"images": c["images"]}), "annotations"),
    ("no image has a size", _edit(DATA, _set("images", to=[{"id": 1}])), "unusable"),
    ("one image unlisted", _edit(DATA, _drop("images", 0)), 1),
    ("a camera missing", _edit(CAMERA, _drop("0", "campos", "1")), 2),
    ("a focal length missing", _edit(CAMERA, _drop("0", "focal", "1")), 2),
    ("a capture missing in cameras", _edit(CAMERA, _drop("1")), 4),
    ("a rotation that is none", _edit(CAMERA, _set("0", "camrot", "1", to=[[1, 1, 0]] * 3)), 2),
    ("a frame missing in joints", _edit(POSES, _drop("0", "1")), 2),
    ("41 joints", _edit(POSES, _set("0", "0", "world_coord", to=lambda w: w[:41])), 2),
    ("41 flags", _edit(POSES, _set("0", "0", "joint_valid", to=lambda w: w[:41])), 2),
    ("no valid joint", _edit(POSES, _set("0", "0", "joint_valid", to=[[0]] * 42)), 2),
    ("joints in metres", _edit(POSES, _set("0", "0", "world_coord", to=_scaled(0.001))), 2),
    ("a hand elsewhere", _edit(POSES, _set("0", "0", "world_coord",
     to=lambda w: (np.array(w) + np.array([900, 0, 0])).tolist())), 2),
    ("sizes of turned images", _edit(DATA, _set("images", 0, "width", to=84)), 1),
    ("a truncated JPEG", _cut("images/train/Capture0/image0.jpg"), 1),
    ("a missing image", _remove("images/train/Capture0/image0.jpg"), 1),
    ("still being generated", _write("synthetic.partial.json", b"{}"), "only partly generated"),
    ("only interacting hands", _edit(DATA, _interacting), "no image to convert"),
]  # fmt: skip

CASES = [("freihand", *case) for case in FREIHAND] + [("interhand", *case) for case in INTERHAND]


def test_there_are_enough_mutations() -> None:
    assert len(CASES) >= 40
    assert len({(dataset, name) for dataset, name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("dataset", "mutate", "expected"),
    [pytest.param(dataset, mutate, expected, id=f"{dataset}: {name}")
     for dataset, name, mutate, expected in CASES],
)  # fmt: skip
def test_a_broken_folder_gives_one_error_or_counted_skips(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    dataset: str,
    mutate: Mutation,
    expected: str | int,
) -> None:
    root: Path = request.getfixturevalue(f"{dataset}_root")
    kind = DATASETS[dataset]
    intact = kind.read(root, "train")
    truth = {sample.source_id: sample for sample in intact}
    mutate(root)
    out = tmp_path / "store"
    if isinstance(expected, str):
        with pytest.raises(DataError) as caught:
            build_store(kind.read(root, "train"), out, processes=1)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError):
            open_store(out)
        return
    manifest = build_store(kind.read(root, "train"), out, processes=1)
    assert len(manifest.skipped) == expected
    assert all(reason and "\n" not in reason for _, reason in manifest.skipped)
    store = open_store(out, source_px=16)
    assert len(store) == len(truth) - expected
    for row, source_id in enumerate(store.source_ids.tolist()):
        np.testing.assert_allclose(
            store.joints_m[row], truth[source_id].joints_m.astype(np.float32), atol=1e-7
        )
    with pytest.raises(DataError):
        list(kind.read(root, "train", strict=True))
