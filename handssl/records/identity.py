"""Where a number comes from: the hash and the seeds of a trial, the code's revision, the time."""

import datetime
import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def canonical_hash(value: Mapping[str, Any], digits: int = 16) -> str:
    """SHA-256 of a JSON-ready value, independent of key order; the identity of a trial.

    Example:
        >>> canonical_hash({"epochs": 2, "seed": 0}) == canonical_hash({"seed": 0, "epochs": 2})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def seed_from(*parts: object) -> int:
    """Seed in [0, 2³¹) derived from its parts, the same on every machine.

    Example:
        >>> seed_from("4f562644223821ef")
        679965427
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def git_state() -> dict[str, Any]:
    """`revision` of the code, and whether it is `dirty`: changed since; nulls outside a checkout.

    Example:
        >>> sorted(git_state())
        ['dirty', 'revision']
    """
    changes = _git("status", "--porcelain", "--untracked-files=no")
    dirty = None if changes is None else bool(changes)
    return {"revision": _git("rev-parse", "HEAD"), "dirty": dirty}


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).resolve().parents[2]), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def now() -> str:
    """The time, UTC, ISO 8601, seconds, as in 2026-01-31T12:00:00+00:00."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
