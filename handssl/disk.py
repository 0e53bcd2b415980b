"""Free space of a disk, before the folder that will be written exists."""

import shutil
from pathlib import Path


def existing_parent(path: Path) -> Path:
    """The path itself if it exists, else the nearest folder above it that does.

    Example:
        >>> existing_parent(Path("/not") / "yet" / "made")
        PosixPath('/')
    """
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds a path, or will hold it once it is made."""
    return shutil.disk_usage(existing_parent(path)).free
