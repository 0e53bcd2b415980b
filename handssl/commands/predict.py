"""`handssl predict`: estimate the hand pose in photographs."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError
from rich.console import Console

from handssl.commands.printing import print_lines
from handssl.drawing import draw_skeleton
from handssl.errors import ConfigError, DataError
from handssl.evaluation.official import CONTEST_IMAGES, write_submission
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.prediction import PredictedPose, default_intrinsics, predict_pose
from handssl.progress import progress_bars
from handssl.skeleton import JOINT_NAMES

_PICTURES: Final = (".jpg", ".jpeg", ".png")

_GUESSED: Final = "; without --intrinsics the camera is assumed, so distances are inaccurate"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    one = "photograph of one hand, or a folder"
    add("images", nargs="+", type=Path, metavar="IMAGE", help=one)
    model = "pose model, from `handssl finetune` or `handssl probe --out`"
    add("--checkpoint", type=Path, required=True, help=model)
    add("--out", type=Path, default=Path("predictions"), help="folder of pictures and JSON")
    cameras = "JSON: a 3 × 3 camera matrix, or one for each image (as FreiHAND's "
    guess = "evaluation_K.json); default a focal length of 1.2 × the longer side"
    add("--intrinsics", type=Path, help=cameras + guess)
    add("--bone-m", type=float, help="wrist to index knuckle, metres; default the training mean")
    bones = "JSON: the middle finger's proximal bone in each image, metres (as FreiHAND's "
    add("--scales", type=Path, help=bones + "evaluation_scale.json), instead of --bone-m")
    add("--left", action="store_true", help="left hands")
    add(
        "--freihand-zip",
        type=Path,
        help="write the contest's pred.zip instead of pictures; needs --intrinsics",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.bone_m is not None and not 0 < arguments.bone_m < 1:
        raise ConfigError(f"--bone-m must be in (0, 1) metres, but got bone_m={arguments.bone_m}")
    if arguments.freihand_zip is not None and arguments.intrinsics is None:
        raise ConfigError(
            "--freihand-zip must come with the cameras, but got no --intrinsics; give "
            "evaluation_K.json, and --scales evaluation_scale.json"
        )
    images = _images(arguments.images, distinct=arguments.freihand_zip is None)
    model = PoseModel.load(arguments.checkpoint)
    cameras = _cameras(arguments.intrinsics, len(images))
    scales = _scales(arguments.scales, len(images))
    console = Console()
    poses: list[PredictedPose] = []
    with progress_bars(console) as advance:
        for path, camera, scale_m in zip(images, cameras, scales, strict=True):
            image = _read(path)
            intrinsics = default_intrinsics(*image.size) if camera is None else camera
            pose = predict_pose(
                model,
                np.array(image),
                intrinsics,
                bone_m=arguments.bone_m,
                scale_m=scale_m,
                left=arguments.left,
            )
            if arguments.freihand_zip is None:
                _save(arguments.out, path, image, pose, intrinsics)
            poses.append(pose)
            advance("predicting", len(poses), len(images))
    if arguments.freihand_zip is None:
        note = "" if arguments.intrinsics else _GUESSED
        done = f"wrote {arguments.out}: a picture and a JSON file for each image{note}"
    else:
        write_submission(arguments.freihand_zip, np.stack([pose.joints_m for pose in poses]))
        short = "" if len(poses) == CONTEST_IMAGES else f"; the contest has {CONTEST_IMAGES:,}"
        done = f"wrote {arguments.freihand_zip}: {len(poses):,} poses{short}"
    print_lines(console, done)
    return 0


def _images(paths: list[Path], *, distinct: bool) -> list[Path]:
    """Files as they are, folders as their pictures in order of name.

    With `distinct`, names without suffix must differ, because the results are named after them.
    """
    images: list[Path] = []
    for path in paths:
        if path.is_dir():
            pictures = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES)
            if not pictures:
                raise DataError(
                    f"IMAGE must be a picture or a folder of pictures, but {path} has no "
                    f"{', '.join(_PICTURES)}"
                )
            images += pictures
        else:
            images.append(path)
    ((stem, count),) = Counter(path.stem for path in images).most_common(1)
    if distinct and count > 1:
        raise ConfigError(
            f"IMAGE names must differ, but {stem} occurs {count} times and results are named "
            "after it; call predict once for each folder, with different --out"
        )
    return images


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"IMAGE must be a picture, but {path} cannot be read ({error})") from error


def _numbers(path: Path, name: str) -> NDArray[np.float64]:
    """A JSON file of numbers as an array."""
    try:
        return np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{name} must be a JSON file of numbers, but {path}: {error}") from error


def _scales(path: Path | None, count: int) -> list[float | None]:
    """A bone length for each image, or None for each."""
    if path is None:
        return [None] * count
    lengths = _numbers(path, "scales")
    if lengths.shape != (count,) or not ((lengths > 0) & (lengths < 1)).all():
        raise ConfigError(
            f"scales must be a length in (0, 1) metres for each of the {count} images, but {path} "
            f"has shape={lengths.shape}"
        )
    return list(lengths)


def _cameras(path: Path | None, count: int) -> list[NDArray[np.float64] | None]:
    """A camera matrix for each image, or None for each."""
    if path is None:
        return [None] * count
    matrices = _numbers(path, "intrinsics")
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
    picture = image.copy()
    width_px = max(2, max(image.size) // 150)
    draw_skeleton(ImageDraw.Draw(picture), pose.joints_px, width_px=width_px)
    picture.save(folder / f"{source.stem}.png")
    content: dict[str, Any] = {
        "image": source.name,
        "joints": [
            {"name": name, "px": pixel, "m": position}
            for name, pixel, position in zip(
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
