"""Small raw folders in the real formats, with a plausible hand in front of the camera."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from handssl.skeleton import INTERHAND_TO_FREIHAND

SIZE = 64
FOCAL = 150.0
WIDTH, HEIGHT = 128, 84


_FINGERS = (
    (-0.045, (0.045, 0.035, 0.030, 0.025)),
    (-0.025, (0.090, 0.042, 0.025, 0.020)),
    (0.0, (0.088, 0.046, 0.029, 0.021)),
    (0.022, (0.083, 0.041, 0.027, 0.021)),
    (0.042, (0.078, 0.033, 0.020, 0.018)),
)
"""Position to the side of a finger, and lengths of its bones, metres."""


def hand_pose(generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """An open right hand of about 18 cm, pointing up in the image, somewhat crooked."""
    joints = np.zeros((21, 3))
    for finger, (x, lengths) in enumerate(_FINGERS):
        root = np.array([x, -np.sqrt(max(lengths[0] ** 2 - x**2, 4e-4)), 0.0])
        for part, length in enumerate((0.0, *lengths[1:])):
            root = root + np.array([0.0, -length, 0.0])
            joints[1 + 4 * finger + part] = root
    joints += generator.normal(0, 5e-4, joints.shape)
    joints[:, :2] -= joints[:, :2].mean(0)
    joints[:, 2] += generator.uniform(0.55, 0.7)
    return joints


def write_image(
    path: Path, generator: np.random.Generator, size: tuple[int, int] = (SIZE, SIZE)
) -> None:
    coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)


def write_freihand(
    root: Path, *, poses: int = 6, versions: int = 4, split: str = "training", seed: int = 0
) -> Path:
    """A FreiHAND folder of 64 px images; every image differs."""
    generator = np.random.default_rng(seed)
    (root / split / "rgb").mkdir(parents=True)
    joints = np.stack([hand_pose(generator) for _ in range(poses)])
    centre = (SIZE - 1) / 2
    camera = [[FOCAL, 0, centre], [0, FOCAL, centre], [0, 0, 1]]
    scale = np.linalg.norm(joints[:, 9] - joints[:, 10], axis=-1)
    labels = {"K": [camera] * poses, "xyz": joints.tolist(), "scale": scale.tolist()}
    for kind, content in labels.items():
        (root / f"{split}_{kind}.json").write_text(json.dumps(content))
    for index in range(poses * versions):
        write_image(root / split / "rgb" / f"{index:08d}.jpg", generator)
    return root


def write_interhand(
    root: Path,
    *,
    captures: int = 2,
    frames: int = 2,
    cameras: int = 2,
    split: str = "train",
    layout: str = "v1.0",
    seed: int = 0,
) -> Path:
    """An InterHand2.6M folder: every pose of both hands and of interacting ones, all cameras."""
    generator = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    joint_3d: dict[str, Any] = {}
    camera_file: dict[str, Any] = {}
    order = np.array(INTERHAND_TO_FREIHAND)
    for capture in range(captures):
        rig: dict[str, Any] = {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}
        for camera in range(cameras):
            angle = 0.4 * camera - 0.2
            rotation = np.array(
                [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
            )
            rig["camrot"][str(camera)] = rotation.tolist()
            rig["campos"][str(camera)] = (np.array([0, 0, 600]) - 600 * rotation[2]).tolist()
            rig["focal"][str(camera)] = [200.0, 201.0]
            rig["princpt"][str(camera)] = [WIDTH / 2 + 3, HEIGHT / 2]
        camera_file[str(capture)] = rig
        joint_3d[str(capture)] = {}
        for frame in range(frames):
            kind = ("right", "left", "interacting")[frame % 3]
            right = hand_pose(generator) * 1000
            left = hand_pose(generator) * [-1000, 1000, 1000]
            world = np.zeros((42, 3))
            world[order], world[order + 21] = right, left
            valid = np.zeros((42, 1), dtype=bool)
            valid[:21] = kind != "left"
            valid[21:] = kind != "right"
            joint_3d[str(capture)][str(frame)] = {
                "world_coord": world.tolist(),
                "joint_valid": valid.tolist(),
                "hand_type": kind,
                "hand_type_valid": True,
            }
            for camera in range(cameras):
                number = len(images)
                folder = root / "images" / split / f"Capture{capture}"
                folder.mkdir(parents=True, exist_ok=True)
                write_image(folder / f"image{number}.jpg", generator, (WIDTH, HEIGHT))
                name, size = (
                    f"Capture{capture}/image{number}.jpg",
                    {"width": WIDTH, "height": HEIGHT},
                )
                shot = {"capture": capture, "camera": str(camera), "frame_idx": frame}
                images.append({"id": 100 + number, "file_name": name, **size, **shot})
                hand = {"joint_valid": valid.astype(int).tolist(), "hand_type": kind}
                annotations.append({"id": number, "image_id": 100 + number, **hand})
    labels = root / "annotations" / (split if layout == "v1.0" else layout)
    labels.mkdir(parents=True, exist_ok=True)
    data = {"images": images, "annotations": annotations}
    for name, content in (("data", data), ("camera", camera_file), ("joint_3d", joint_3d)):
        (labels / f"InterHand2.6M_{split}_{name}.json").write_text(json.dumps(content))
    return root


def damage_image(store: Path, row: int) -> None:
    """Change one byte in the middle of a row's JPEG."""
    [shard] = (store / "shards").iterdir()
    content = bytearray(shard.read_bytes())
    jpeg = pq.read_table(shard)["image"][row].as_py()
    content[content.find(jpeg) + len(jpeg) // 2] ^= 0x55
    shard.write_bytes(content)
