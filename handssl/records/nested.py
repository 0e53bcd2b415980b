"""Nested settings as dotted keys, and back."""

from collections.abc import Mapping
from typing import Any


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key; empty mappings disappear.

    Example:
        >>> flatten({"encoder": {"name": "resnet18"}, "epochs": 2})
        {'encoder.name': 'resnet18', 'epochs': 2}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested settings: the inverse of `flatten`.

    Example:
        >>> unflatten({"encoder.name": "resnet18", "epochs": 2})
        {'encoder': {'name': 'resnet18'}, 'epochs': 2}
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return nested
