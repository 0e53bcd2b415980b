"""Versions of the code and of its libraries, and the time: where a number comes from."""

import datetime
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the numbers, and the processor that rounds them.

    Example:
        >>> sorted(versions())[:3]
        ['handssl', 'numpy', 'optuna']
    """
    from torch.backends import cpu  # noqa: PLC0415 - readers of records need no torch

    packages = ("handssl", "torch", "torchvision", "timm", "numpy", "ray", "optuna")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "processor": f"{platform.machine()} {cpu.get_cpu_capability()}",
    }


def git_state() -> dict[str, Any]:
    """Revision of the code, and whether it was changed since; nulls outside a checkout.

    Example:
        >>> sorted(git_state())
        ['dirty', 'revision']
    """
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(root), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    changes = git("status", "--porcelain", "--untracked-files=no")
    return {
        "revision": git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def now() -> str:
    """The time, UTC, ISO 8601, seconds.

    Example:
        >>> now().endswith("+00:00")
        True
    """
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
