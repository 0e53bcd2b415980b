"""Synthetic hands as a FreiHAND folder, version 2's layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handssl.errors import ConfigError
from handssl.synthetic.folder import Request
from handssl.synthetic.freihand import UNIFORM_VIEWS, Capture, Split, draw_capture, render_capture
from handssl.synthetic.write import Label, PoseTask, Progress, check_at_least, write_dataset


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

    The same arguments give the same bytes, whatever `workers` is. An interrupted call continues
    where it stopped when it is made again; a complete folder is checked and left as it is.
    `training_verts.json` and `training_mano.json` are left out: the hand is not MANO's.

    Args:
        out: The folder.
        poses: Unique training poses; image `pose + poses·version` shows each of them.
        seed: Seed of the data set.
        versions: Background versions per pose: 0 a green screen, the others composited scenes.
        evaluation: Poses of the evaluation split, one composited image each.
        uniform_views: Share of the poses seen from anywhere instead of naturally.
        workers: Processes; every core when omitted.
        progress: Called with (poses done, poses in all) after each.

    Raises:
        ConfigError: A count is out of range.
        DataError: `out` cannot be used, or holds something else.
    """
    for name, value, smallest in (
        ("poses", poses, 1),
        ("seed", seed, 0),
        ("versions", versions, 1),
        ("evaluation", evaluation, 0),
    ):
        check_at_least(name, value, smallest)
    if not 0 <= uniform_views <= 1:
        raise ConfigError(
            f"uniform_views must be a share from 0 to 1, but got uniform_views={uniform_views}"
        )
    plan: list[tuple[Split, int, int]] = [("training", poses, versions)]
    plan += [("evaluation", evaluation, 1)] if evaluation else []
    rows: list[tuple[Split, int, int, int]] = [
        (split, index, size, versions) for split, size, versions in plan for index in range(size)
    ]
    tasks = [
        _Task(
            position=position,
            root=out,
            seed=seed,
            split=split,
            index=index,
            poses=size,
            versions=versions,
            uniform_views=uniform_views,
        )
        for position, (split, index, size, versions) in enumerate(rows)
    ]
    counts: dict[str, float] = {"poses": poses, "versions": versions, "evaluation": evaluation}
    if uniform_views != UNIFORM_VIEWS:
        # Only then: folders from before there was a choice hold the default.
        counts["uniform_views"] = uniform_views
    write_dataset(
        out,
        Request(domain="freihand", seed=seed, counts=counts),
        tasks,
        _label_files,
        workers=workers,
        progress=progress,
    )


def _label_files(labels: list[Label]) -> dict[str, Any]:
    files: dict[str, list[Any]] = {}
    for label in labels:
        for kind in ("K", "xyz", "scale"):
            files.setdefault(f"{label['split']}_{kind}.json", []).append(label[kind])
    return files


@dataclass(frozen=True, kw_only=True)
class _Task(PoseTask):
    position: int
    root: Path
    seed: int
    split: Split
    index: int
    poses: int
    versions: int
    uniform_views: float

    def image_paths(self) -> list[Path]:
        """The pose's images by version and, in the training split, its mask."""
        folder = self.root / self.split
        numbers = [self.index + self.poses * version for version in range(self.versions)]
        paths = [folder / "rgb" / f"{number:08d}.jpg" for number in numbers]
        if self.split == "training":
            paths.append(folder / "mask" / f"{self.index:08d}.jpg")
        return paths

    def draw(self) -> Capture:
        return draw_capture(self.seed, self.split, self.index, uniform_views=self.uniform_views)

    def label(self, scene: Capture) -> Label:
        return {
            "split": self.split,
            "K": scene.intrinsics.tolist(),
            "xyz": scene.joints_m.round(8).tolist(),
            "scale": round(scene.scale_m, 8),
        }

    def render(self, scene: Capture) -> list[bytes]:
        images, mask = render_capture(scene, self.seed, self.split, self.index, self.versions)
        return [*images, mask] if self.split == "training" else images
