"""The hash that identifies a trial, and the seeds that derive from it."""

import hashlib
import json
from collections.abc import Mapping
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
