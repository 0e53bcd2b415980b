"""`handssl predict`: the pose in photographs."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError
from rich.console import Console

from handssl.commands.progress import progress_bars
from handssl.errors import ConfigError, DataError
from handssl.evaluation.contest import write_submission
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.prediction import PredictedPose, default_intrinsics, predict_pose
from handssl.skeleton import BONES, JOINT_NAMES

__all__ = ["configure"]

_COLOURS = ("#e6550d", "#31a354", "#3182bd", "#756bb1", "#dd1c77")
"""Of the five fingers."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="photograph of one hand")
    add("--checkpoint", type=Path, required=True, help="from `handssl probe --out`, fine-tuning")
    add("--out", type=Path, default=Path("predictions"), help="folder of pictures and JSON")
    add(
        "--intrinsics",
        type=Path,
        help="JSON: a 3 × 3 camera matrix, or one for each image (as FreiHAND's "
        "evaluation_K.json); default a focal length of 1.2 × the longer side",
    )
    add("--bone-m", type=float, help="wrist to index knuckle, metres; default the training mean")
    add("--left", action="store_true", help="left hands")
    add("--freihand-zip", type=Path, help="write the contest's pred.zip instead of pictures")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.bone_m is not None and not 0 < arguments.bone_m < 1:
        raise ConfigError(f"--bone-m must be in (0, 1) metres, but got bone_m={arguments.bone_m}")
    model = PoseModel.load(arguments.checkpoint)
    cameras = _cameras(arguments.intrinsics, len(arguments.images))
    console = Console()
    poses: list[PredictedPose] = []
    with progress_bars(console) as advance:
        for path, camera in zip(arguments.images, cameras, strict=True):
            image = _read(path)
            known = default_intrinsics(*image.size) if camera is None else camera
            pose = predict_pose(
                model, np.array(image), known, bone_m=arguments.bone_m, left=arguments.left
            )
            if arguments.freihand_zip is None:
                _save(arguments.out, path, image, pose, known)
            poses.append(pose)
            advance("predicting", len(poses), len(arguments.images))
    if arguments.freihand_zip is not None:
        write_submission(arguments.freihand_zip, np.stack([pose.joints_m for pose in poses]))
    done = arguments.freihand_zip or arguments.out
    console.print(f"wrote {done}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"IMAGE must be a picture, but {path} cannot be read ({error})") from error


def _cameras(path: Path | None, count: int) -> list[NDArray[np.float64] | None]:
    """A camera matrix for each image, or None for each."""
    if path is None:
        return [None] * count
    try:
        matrices = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"intrinsics must be a JSON file of matrices, but {path}: {error}") from (
            error
        )
    if matrices.shape == (3, 3):
        return [matrices] * count
    if matrices.shape != (count, 3, 3):
        raise ConfigError(
            f"intrinsics must be one 3 × 3 matrix or one for each of the {count} images, but "
            f"{path} has shape={matrices.shape}"
        )
    return list(matrices)


def _save(
    folder: Path,
    source: Path,
    image: Image.Image,
    pose: PredictedPose,
    intrinsics: NDArray[np.float64],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _draw(image, pose).save(folder / f"{source.stem}.png")
    content: dict[str, Any] = {
        "image": source.name,
        "joints": [
            {"name": name, "px": pixel, "m": place}
            for name, pixel, place in zip(
                JOINT_NAMES,
                pose.joints_px.round(3).tolist(),
                pose.joints_m.round(8).tolist(),
                strict=True,
            )
        ],
        "box": {"centre_px": list(pose.box.centre_px), "side_px": pose.box.side_px},
        "intrinsics": intrinsics.tolist(),
    }
    (folder / f"{source.stem}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _draw(image: Image.Image, pose: PredictedPose) -> Image.Image:
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    width = max(2, max(image.size) // 150)
    points = [(float(u), float(v)) for u, v in pose.joints_px]
    for index, (parent, child) in enumerate(BONES):
        draw.line([points[parent], points[child]], fill=_COLOURS[index // 4], width=width)
    for u, v in points:
        draw.ellipse([u - width, v - width, u + width, v + width], fill="white", outline="black")
    return drawn
