"""`handssl predict`: the pose in photographs."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError
from rich.console import Console

from handssl.commands.progress import progress_bars
from handssl.errors import ConfigError, DataError
from handssl.evaluation.contest import CONTEST_IMAGES, write_submission
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.prediction import PredictedPose, default_intrinsics, predict_pose
from handssl.skeleton import BONES, JOINT_NAMES

_COLOURS = ("#e6550d", "#31a354", "#3182bd", "#756bb1", "#dd1c77")
"""Of the five fingers."""

_PICTURES: Final = (".jpg", ".jpeg", ".png")

_GUESSED: Final = "; without --intrinsics the camera was guessed, so distances from it are rough"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add(
        "images", nargs="+", type=Path, metavar="IMAGE", help="photograph of one hand, or a folder"
    )
    add(
        "--checkpoint",
        type=Path,
        required=True,
        help="pose model, from `handssl finetune` or `handssl probe --out`",
    )
    add("--out", type=Path, default=Path("predictions"), help="folder of pictures and JSON")
    add(
        "--intrinsics",
        type=Path,
        help="JSON: a 3 × 3 camera matrix, or one for each image (as FreiHAND's "
        "evaluation_K.json); default a focal length of 1.2 × the longer side",
    )
    add("--bone-m", type=float, help="wrist to index knuckle, metres; default the training mean")
    add(
        "--scales",
        type=Path,
        help="JSON: the middle finger's proximal bone in each image, metres (as FreiHAND's "
        "evaluation_scale.json), instead of --bone-m",
    )
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
            known = default_intrinsics(*image.size) if camera is None else camera
            pose = predict_pose(
                model,
                np.array(image),
                known,
                bone_m=arguments.bone_m,
                scale_m=scale_m,
                left=arguments.left,
            )
            if arguments.freihand_zip is None:
                _save(arguments.out, path, image, pose, known)
            poses.append(pose)
            advance("predicting", len(poses), len(images))
    if arguments.freihand_zip is None:
        note = "" if arguments.intrinsics else _GUESSED
        done = f"wrote {arguments.out}: a picture and a JSON file for each image{note}"
    else:
        write_submission(arguments.freihand_zip, np.stack([pose.joints_m for pose in poses]))
        short = "" if len(poses) == CONTEST_IMAGES else f"; the contest has {CONTEST_IMAGES:,}"
        done = f"wrote {arguments.freihand_zip}: {len(poses):,} poses{short}"
    console.print(done, markup=False, highlight=False, soft_wrap=True)
    return 0


def _images(given: list[Path], *, distinct: bool) -> list[Path]:
    """The files, and those in folders by name; `distinct` if results are named after them."""
    images: list[Path] = []
    for path in given:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES)
            if not found:
                raise DataError(
                    f"IMAGE must be a picture or a folder of some, but {path} holds none of "
                    f"{', '.join(_PICTURES)}"
                )
            images += found
        else:
            images.append(path)
    ((stem, count),) = Counter(path.stem for path in images).most_common(1)
    if distinct and count > 1:
        raise ConfigError(
            f"IMAGE names must differ, but {stem} comes more than once and results are named "
            "after it; call predict for each folder with its own --out"
        )
    return images


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"IMAGE must be a picture, but {path} cannot be read ({error})") from error


def _scales(path: Path | None, count: int) -> list[float | None]:
    """A length for each image, or None for each."""
    if path is None:
        return [None] * count
    try:
        lengths = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"scales must be a JSON file of lengths, but {path}: {error}") from error
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
