"""The revision of the code, and the time: where a number comes from."""

import datetime
import subprocess
from pathlib import Path
from typing import Any


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
