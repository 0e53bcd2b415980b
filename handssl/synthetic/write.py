"""Generation of a synthetic data set, pose by pose; a killed generation continues."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handssl.data.store.parallel import run_jobs
from handssl.errors import require
from handssl.synthetic.folder import GeneratedFolder, Request, write_file

Progress = Callable[[int, int], None]
"""Called with (poses done, poses in all)."""

Label = dict[str, Any]
"""A pose's part of the label files; JSON values only."""

Drawn = tuple[Label, Callable[[], list[bytes]]]
"""A pose's label, and a function that renders its images."""

_JPEG_END: Final = b"\xff\xd9"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseTask:
    """One pose of a data set, which any process can make.

    Attributes:
        paths: The pose's image files.
        draw: Draws the pose from its seed. The returned function gives the content of `paths`.
    """

    paths: list[Path]
    draw: Callable[[], Drawn]


def write_dataset(
    out: Path,
    request: Request,
    tasks: Sequence[PoseTask],
    label_files: Callable[[list[Label]], dict[str, Any]],
    *,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Write, continue or check a generated folder; see `generate_freihand`.

    `tasks` are all poses in order; `label_files` turns their labels into JSON values by file name.
    """
    folder = GeneratedFolder(out, request)
    if folder.complete:
        folder.verify(_joined(_digest_on_disk(task) or b"" for task in tasks))
        return
    done: dict[int, tuple[Label, bytes]] = {}
    for index, label, digest in run_jobs(_make, enumerate(tasks), workers):
        done[index] = label, digest
        if progress is not None:
            progress(len(done), len(tasks))
    in_order = [done[index] for index in range(len(tasks))]
    folder.finish(label_files([label for label, _ in in_order]), _joined(d for _, d in in_order))


def check_counts(*counts: tuple[str, int, int]) -> None:
    """Refuse a count that is too small, with ConfigError; each is (name, value, smallest)."""
    for name, value, smallest in counts:
        require(value >= smallest, f"{name} must be >= {smallest}, but got {name}={value}")


def check_share(name: str, share: float) -> None:
    """Refuse a share outside [0, 1] with ConfigError."""
    require(0 <= share <= 1, f"{name} must be a share from 0 to 1, but got {name}={share}")


def _make(index: int, task: PoseTask) -> tuple[int, Label, bytes]:
    """Draw one pose, and write its images unless they exist."""
    label, render = task.draw()
    digest = _digest_on_disk(task)
    if digest is None:
        contents = render()
        for path, content in zip(task.paths, contents, strict=True):
            write_file(path, content, durable=False)
        digest = _digest(contents)
    return index, label, digest


def _digest_on_disk(task: PoseTask) -> bytes | None:
    """Digest of a pose's files, None unless all exist and are whole."""
    try:
        contents = [path.read_bytes() for path in task.paths]
    except FileNotFoundError:
        return None
    # After a loss of power a file may have its name but not all of its bytes.
    return _digest(contents) if all(c.endswith(_JPEG_END) for c in contents) else None


def _digest(contents: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in contents)).digest()


def _joined(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()
