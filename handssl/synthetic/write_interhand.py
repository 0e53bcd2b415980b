"""Synthetic hands as an InterHand2.6M folder, version 1.0's layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from handssl.errors import ConfigError
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
from handssl.synthetic.write import Label, PoseTask, Progress, check_at_least, write_dataset

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
    for validation, another for the test. Like `generate_freihand` it gives the same bytes for
    the same arguments, continues after an interruption and leaves a complete folder as it is.

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
    check_at_least("poses", poses, 3)
    check_at_least("cameras", cameras, 1)
    check_at_least("seed", seed, 0)
    if not 0 <= grey_cameras <= 1:
        raise ConfigError(
            f"grey_cameras must be a share from 0 to 1, but got grey_cameras={grey_cameras}"
        )
    captures = max(3, round(poses / _POSES_PER_CAPTURE))
    tasks = [
        _Task(
            position=position,
            root=out,
            key=SessionKey(
                seed=seed, capture=position % captures, cameras=cameras, grey_share=grey_cameras
            ),
            split=_split_of(position % captures, captures),
            frame=position // captures,
        )
        for position in range(poses)
    ]
    counts = {"poses": poses, "cameras": cameras, "grey_cameras": grey_cameras}
    write_dataset(
        out,
        Request(domain="interhand", seed=seed, counts=counts),
        tasks,
        lambda labels: _label_files(tasks, labels),
        workers=workers,
        progress=progress,
    )


def _split_of(capture: int, captures: int) -> str:
    held_out = max(1, captures // 10)
    if capture >= captures - held_out:
        return "test"
    return "val" if capture >= captures - 2 * held_out else "train"


@dataclass(frozen=True, kw_only=True)
class _Task(PoseTask):
    position: int
    root: Path
    key: SessionKey
    split: str
    frame: int

    def _camera_list(self) -> tuple[StudioCamera, ...]:
        return draw_session(self.key).studio.cameras

    def file_name(self, camera: StudioCamera, sequence: str) -> str:
        """Path of an image below its split's folder."""
        return f"Capture{self.key.capture}/{sequence}/cam{camera.name}/image{self.frame}.jpg"

    def image_paths(self) -> list[Path]:
        folder = self.root / "images" / self.split
        sequence = _sequence(self.key.capture)
        return [folder / self.file_name(camera, sequence) for camera in self._camera_list()]

    def draw(self) -> StudioScene:
        return draw_scene(self.key, self.frame)

    def render(self, scene: StudioScene) -> list[bytes]:
        return render_scene(scene, self.key, self.frame)

    def label(self, scene: StudioScene) -> Label:
        """The joints as `joint_3d` has them, and an entry of `data` for every camera."""
        joints_mm = (1000 * scene.joints_m).round(5)
        first = 0 if scene.side == "right" else NUM_JOINTS
        world = np.ones((2 * NUM_JOINTS, 3))
        world[first + np.array(INTERHAND_TO_FREIHAND)] = joints_mm
        valid = np.zeros((2 * NUM_JOINTS, 1), dtype=np.int64)
        valid[first : first + NUM_JOINTS] = 1
        images, annotations = [], []
        for number, camera in enumerate(self._camera_list()):
            identity = self.position * self.key.cameras + number
            pixels, _ = camera.project(scene.joints_m)
            low, high = pixels.min(0), pixels.max(0)
            extent = _BOX_GROWTH * (high - low)
            box = np.concatenate([(low + high - extent) / 2, extent])
            images.append(
                {
                    "id": identity,
                    "file_name": self.file_name(camera, _sequence(self.key.capture)),
                    "width": camera.width_px,
                    "height": camera.height_px,
                    "capture": self.key.capture,
                    "subject": self.key.capture,
                    "seq_name": _sequence(self.key.capture),
                    "camera": camera.name,
                    "frame_idx": self.frame,
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


def _sequence(capture: int) -> str:
    return f"{capture:04d}_embedded"


def _label_files(tasks: list[_Task], labels: list[Label]) -> dict[str, Any]:
    """The three JSON files of every split."""
    files: dict[str, Any] = {}
    for split in _SPLITS:
        in_split = [(t, label) for t, label in zip(tasks, labels, strict=True) if t.split == split]
        joint_3d: dict[str, dict[str, Any]] = {}
        for task, label in in_split:
            joint_3d.setdefault(str(task.key.capture), {})[str(task.frame)] = label["pose"]
        sessions = {str(task.key.capture): draw_session(task.key) for task, _ in in_split}
        stem = f"annotations/{split}/InterHand2.6M_{split}"
        files[f"{stem}_data.json"] = {
            "images": [image for _, label in in_split for image in label["images"]],
            "annotations": [entry for _, label in in_split for entry in label["annotations"]],
        }
        files[f"{stem}_camera.json"] = {
            capture: _calibration(session.studio.cameras) for capture, session in sessions.items()
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
