"""Memory that a step frees is kept for the next one.

glibc gives every large tensor back to the system when it is freed. A training step on the CPU then
takes hundreds of thousands of page faults, a tenth of its time, to get the same memory again
(`benchmarks/scaling.py`). It has to be told once for each process.
"""

import ctypes
import platform
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KEEP_FREED_MEMORY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MALLOC_MMAP_MAX_": "0",  # no tensor is a mapping of its own
        "MALLOC_TRIM_THRESHOLD_": str(2**40),  # the heap does not shrink
        "MALLOC_ARENA_MAX": "1",  # and there is one, also for the thread that Ray Train trains in
    }
)
"""The same for a process that is yet to start, as environment variables (mallopt(3))."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


def keep_freed_memory() -> bool:
    """Keep what is freed in this process; best called before it works with tensors.

    Returns:
        Whether it is; not on systems without glibc, where nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
