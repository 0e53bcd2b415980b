"""Generation of a synthetic data set, pose by pose; a killed generation continues."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from handssl.data.store.parallel import run_jobs
from handssl.errors import ConfigError
from handssl.synthetic.folder import GeneratedFolder, Request, write_file

Progress = Callable[[int, int], None]
"""Called with (poses done, poses in all)."""

_JPEG_END: Final = b"\xff\xd9"

Label = dict[str, Any]
"""What a pose contributes to the label files; JSON values only."""


class PoseTask(ABC):
    """One pose of a data set, made anywhere from its own seed.

    Attributes:
        position: Place of the pose among all tasks, from 0.
        root: Folder of the data set.
    """

    position: int
    root: Path

    @abstractmethod
    def image_paths(self) -> list[Path]:
        """Where the pose's files belong."""

    @abstractmethod
    def draw(self) -> Any:
        """The scene: everything that labels need, and what `render` makes pictures of."""

    @abstractmethod
    def label(self, scene: Any) -> Label:
        """The scene's labels."""

    @abstractmethod
    def render(self, scene: Any) -> list[bytes]:
        """The contents of `image_paths`."""


def write_dataset(
    out: Path,
    request: Request,
    tasks: Sequence[PoseTask],
    label_files: Callable[[list[Label]], dict[str, Any]],
    *,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Write, continue or check a generated folder.

    Args:
        out: The folder.
        request: What the folder is to hold.
        tasks: All poses, by position.
        label_files: Labels of all poses, by position → contents of the JSON files.
        workers: Processes; every core when None.
        progress: Told after every pose.

    Raises:
        DataError: `out` cannot be used, or holds something else.
    """
    folder = GeneratedFolder(out, request)
    if folder.complete:
        folder.verify(_joined(_digest_on_disk(task) or b"" for task in tasks))
        return
    done: dict[int, tuple[Label, bytes]] = {}
    for position, label, digest in run_jobs(_make, ((task,) for task in tasks), workers):
        done[position] = label, digest
        if progress is not None:
            progress(len(done), len(tasks))
    labels = [done[task.position][0] for task in tasks]
    folder.finish(label_files(labels), _joined(done[task.position][1] for task in tasks))


def check_at_least(name: str, value: int, smallest: int) -> None:
    """Refuse a number that is too small.

    Raises:
        ConfigError: It is.
    """
    if value < smallest:
        raise ConfigError(f"{name} must be >= {smallest}, but got {name}={value}")


def _make(task: PoseTask) -> tuple[int, Label, bytes]:
    """Draw one pose, and write its images unless they are there already."""
    scene = task.draw()
    digest = _digest_on_disk(task)
    if digest is None:
        contents = task.render(scene)
        for path, content in zip(task.image_paths(), contents, strict=True):
            write_file(path, content, durable=False)
        digest = _digest(contents)
    return task.position, task.label(scene), digest


def _digest_on_disk(task: PoseTask) -> bytes | None:
    """Digest of a pose's files, None unless all are there and reach their end."""
    try:
        contents = [path.read_bytes() for path in task.image_paths()]
    except FileNotFoundError:
        return None
    # A machine that lost its power may have kept a file's name and lost its bytes.
    return _digest(contents) if all(c.endswith(_JPEG_END) for c in contents) else None


def _digest(contents: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in contents)).digest()


def _joined(digests: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for digest in digests:
        total.update(digest)
    return total.hexdigest()
