"""Synthetic hands as an InterHand2.6M folder, version 1.0's layout."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from handssl.skeleton import INTERHAND_TO_FREIHAND, NUM_JOINTS
from handssl.synthetic.folder import Request
from handssl.synthetic.interhand import (
    SessionKey,
    StudioScene,
    draw_scene,
    draw_session,
    render_scene,
)
from handssl.synthetic.studio import StudioCamera
from handssl.synthetic.write import (
    Drawn,
    Label,
    PoseTask,
    Progress,
    check_counts,
    check_share,
    write_dataset,
)

_SPLITS: Final = ("train", "val", "test")
_POSES_PER_CAPTURE: Final = 10
_BOX_GROWTH: Final = 1.2
"""InterHand's boxes are those of the joints, with a tenth of the side added on every side."""


def generate_interhand(
    out: Path,
    *,
    poses: int,
    cameras: int = 4,
    grey_cameras: float = 0.0,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write an InterHand2.6M folder of synthetic hands, right and left, in a dark studio.

    Poses belong to captures of about 10, each with its own person, light and calibrated cameras;
    every pose is seen by all cameras of its capture. One capture in ten, and at least one, is
    for validation, another for the test. The same bytes, continuation and check as in
    `generate_freihand`.

    Args:
        out: The folder.
        poses: Number of poses; each gives `cameras` images.
        cameras: Cameras of every capture.
        grey_cameras: Share of cameras without colour; InterHand2.6M itself has about one half.
        seed: Seed of the data set.
        workers: Processes; every core when omitted.
        progress: Called with (poses done, poses in all) after each.

    Raises:
        ConfigError: A count is out of range; three poses at least, one a split.
        DataError: `out` cannot be used, or holds something else.
    """
    check_counts(("poses", poses, 3), ("cameras", cameras, 1), ("seed", seed, 0))
    check_share("grey_cameras", grey_cameras)
    captures = max(3, round(poses / _POSES_PER_CAPTURE))
    keys = [
        SessionKey(seed=seed, capture=number, cameras=cameras, grey_share=grey_cameras)
        for number in range(captures)
    ]
    calibrated = [draw_session(key).studio.cameras for key in keys]
    tasks = []
    for position in range(poses):
        frame, capture = divmod(position, captures)
        split = _split_of(capture, captures)
        folder = out / "images" / split
        paths = [folder / _file_name(capture, frame, camera) for camera in calibrated[capture]]
        draw = partial(_draw, keys[capture], split, frame, position * cameras)
        tasks.append(PoseTask(paths=paths, draw=draw))
    counts = {"poses": poses, "cameras": cameras, "grey_cameras": grey_cameras}
    write_dataset(
        out,
        Request(domain="interhand", seed=seed, counts=counts),
        tasks,
        lambda labels: _label_files(labels, calibrated),
        workers=workers,
        progress=progress,
    )


def _split_of(capture: int, captures: int) -> str:
    held_out = max(1, captures // 10)
    if capture >= captures - held_out:
        return "test"
    return "val" if capture >= captures - 2 * held_out else "train"


def _sequence(capture: int) -> str:
    return f"{capture:04d}_embedded"


def _file_name(capture: int, frame: int, camera: StudioCamera) -> str:
    """Path of an image below its split's folder."""
    return f"Capture{capture}/{_sequence(capture)}/cam{camera.name}/image{frame}.jpg"


def _draw(key: SessionKey, split: str, frame: int, first_id: int) -> Drawn:
    scene = draw_scene(key, frame)
    parts = {"split": split, "capture": str(key.capture), "frame": str(frame)}
    return {**parts, **_label(scene, first_id)}, partial(render_scene, scene)


def _label(scene: StudioScene, first_id: int) -> Label:
    """The joints as `joint_3d` has them, and an entry of `data` for every camera."""
    capture, frame = scene.key.capture, scene.frame
    first = 0 if scene.side == "right" else NUM_JOINTS
    world = np.ones((2 * NUM_JOINTS, 3))
    world[first + np.array(INTERHAND_TO_FREIHAND)] = (1000 * scene.joints_m).round(5)
    valid = np.zeros((2 * NUM_JOINTS, 1), dtype=np.int64)
    valid[first : first + NUM_JOINTS] = 1
    images, annotations = [], []
    for identity, camera in enumerate(scene.session.studio.cameras, first_id):
        pixels, _ = camera.project(scene.joints_m)
        low, high = pixels.min(0), pixels.max(0)
        extent = _BOX_GROWTH * (high - low)
        box = np.concatenate([(low + high - extent) / 2, extent])
        images.append(
            {
                "id": identity,
                "file_name": _file_name(capture, frame, camera),
                "width": camera.width_px,
                "height": camera.height_px,
                "capture": capture,
                "subject": capture,
                "seq_name": _sequence(capture),
                "camera": camera.name,
                "frame_idx": frame,
            }
        )
        annotations.append(
            {
                "id": identity,
                "image_id": identity,
                "bbox": box.round(4).tolist(),
                "joint_valid": valid.tolist(),
                "hand_type": scene.side,
                "hand_type_valid": 1,
            }
        )
    pose = {
        "world_coord": world.tolist(),
        "joint_valid": (valid > 0).tolist(),
        "hand_type": scene.side,
        "hand_type_valid": True,
    }
    return {"images": images, "annotations": annotations, "pose": pose}


def _label_files(
    labels: list[Label], calibrated: list[tuple[StudioCamera, ...]]
) -> dict[str, Any]:
    """The three JSON files of every split; `calibrated` lists each capture's cameras."""
    files: dict[str, Any] = {}
    for split in _SPLITS:
        chosen = [label for label in labels if label["split"] == split]
        joint_3d: dict[str, dict[str, Any]] = {}
        for label in chosen:
            joint_3d.setdefault(label["capture"], {})[label["frame"]] = label["pose"]
        stem = f"annotations/{split}/InterHand2.6M_{split}"
        files[f"{stem}_data.json"] = {
            kind: [entry for label in chosen for entry in label[kind]]
            for kind in ("images", "annotations")
        }
        files[f"{stem}_camera.json"] = {
            capture: _calibration(calibrated[int(capture)]) for capture in joint_3d
        }
        files[f"{stem}_joint_3d.json"] = joint_3d
    return files


def _calibration(cameras: tuple[StudioCamera, ...]) -> dict[str, Any]:
    """One capture's entry of the camera file, positions in millimetres."""
    return {
        "campos": {c.name: (1000 * c.position_m).tolist() for c in cameras},
        "camrot": {c.name: c.rotation.tolist() for c in cameras},
        "focal": {c.name: c.focal_px.tolist() for c in cameras},
        "princpt": {c.name: c.centre_px.tolist() for c in cameras},
    }
