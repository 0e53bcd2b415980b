"""A disk of a test's own, which it can fill or write-protect."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """A tmpfs in a folder; where it cannot be mounted, the test is skipped."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system must be mounted, which takes root")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small file system must be mounted, but: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted disk: `ro` protects it even from root, `size=…` makes it larger."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Take all that is left of a disk; deleting the file `ballast` gives it back."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        for block in (1 << 20, 1 << 12):  # the rest in pages
            try:
                while ballast.write(b"\0" * block):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
