"""Versions that decide numbers. It imports torch, so readers of records do not import it."""

import platform
from importlib import metadata

from torch.backends import cpu


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the numbers, and the processor that rounds them.

    Example:
        >>> sorted(versions())[:3]
        ['handssl', 'numpy', 'optuna']
    """
    packages = ("handssl", "torch", "torchvision", "timm", "numpy", "ray", "optuna")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "processor": f"{platform.machine()} {cpu.get_cpu_capability()}",
    }
