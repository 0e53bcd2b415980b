"""Keep freed memory for the next training step.

glibc gives every large tensor back to the system when it is freed. A training step on the CPU then
takes hundreds of thousands of page faults, a tenth of its time, to get the same memory again
(`benchmarks/scaling.py`). `keep_freed_memory` is called once in each process.
"""

import ctypes
import platform
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KEEP_FREED_MEMORY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MALLOC_MMAP_MAX_": "0",  # no tensor is a separate mapping
        "MALLOC_TRIM_THRESHOLD_": str(2**40),  # the heap does not shrink
        "MALLOC_ARENA_MAX": "1",  # one heap, also for Ray Train's training thread
    }
)
"""The same for a process that is yet to start, as environment variables (mallopt(3))."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


def keep_freed_memory() -> bool:
    """Keep freed memory in this process; call it before the first tensor.

    Returns:
        True on success; False without glibc, where nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
