"""Synthetic hands as a FreiHAND folder, version 2's layout."""

from functools import partial
from pathlib import Path
from typing import Any

from handssl.synthetic.folder import Request
from handssl.synthetic.freihand import UNIFORM_VIEWS, Split, draw_capture, render_capture
from handssl.synthetic.write import (
    Drawn,
    Label,
    PoseTask,
    Progress,
    check_counts,
    check_share,
    write_dataset,
)


def generate_freihand(
    out: Path,
    *,
    poses: int,
    seed: int = 0,
    versions: int = 4,
    evaluation: int = 0,
    uniform_views: float = UNIFORM_VIEWS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a FreiHAND folder of synthetic hands.

    The same arguments give the same bytes, whatever `workers` is. After an interruption the same
    call continues; a complete folder is checked and not changed. `training_verts.json` and
    `training_mano.json` are left out: the hand is not MANO's.

    Args:
        out: The folder.
        poses: Unique training poses; image `pose + poses·version` shows each of them.
        seed: Seed of the data set.
        versions: Background versions per pose: 0 a green screen, the others composited scenes.
        evaluation: Poses of the evaluation split, one composited image each.
        uniform_views: Share of the poses seen from any direction instead of a natural one.
        workers: Processes; every core when omitted.
        progress: Called with (poses done, poses in all) after each.

    Raises:
        ConfigError: A count is out of range.
        DataError: `out` cannot be used, or holds something else.
    """
    check_counts(
        ("poses", poses, 1),
        ("seed", seed, 0),
        ("versions", versions, 1),
        ("evaluation", evaluation, 0),
    )
    check_share("uniform_views", uniform_views)
    counts: dict[str, float] = {"poses": poses, "versions": versions, "evaluation": evaluation}
    if uniform_views != UNIFORM_VIEWS:
        # Requests of folders with the default do not name it, as before it was a choice.
        counts["uniform_views"] = uniform_views

    def tasks_of(split: Split, size: int, versions: int) -> list[PoseTask]:
        return [
            PoseTask(
                paths=_paths(out / split, [index + size * v for v in range(versions)], split),
                draw=partial(_draw, seed, split, index, versions, uniform_views),
            )
            for index in range(size)
        ]

    write_dataset(
        out,
        Request(domain="freihand", seed=seed, counts=counts),
        tasks_of("training", poses, versions) + tasks_of("evaluation", evaluation, 1),
        _label_files,
        workers=workers,
        progress=progress,
    )


def _paths(folder: Path, images: list[int], split: Split) -> list[Path]:
    """A pose's images by version and, in the training split, its mask."""
    paths = [folder / "rgb" / f"{number:08d}.jpg" for number in images]
    return [*paths, folder / "mask" / paths[0].name] if split == "training" else paths


def _draw(seed: int, split: Split, index: int, versions: int, uniform_views: float) -> Drawn:
    capture = draw_capture(seed, split, index, uniform_views=uniform_views)

    def render() -> list[bytes]:
        images, mask = render_capture(capture, seed, split, index, versions)
        return [*images, mask] if split == "training" else images

    label = {
        "split": split,
        "K": capture.intrinsics.tolist(),
        "xyz": capture.joints_m.round(8).tolist(),
        "scale": round(capture.scale_m, 8),
    }
    return label, render


def _label_files(labels: list[Label]) -> dict[str, Any]:
    files: dict[str, list[Any]] = {}
    for label in labels:
        for kind in ("K", "xyz", "scale"):
            files.setdefault(f"{label['split']}_{kind}.json", []).append(label[kind])
    return files
