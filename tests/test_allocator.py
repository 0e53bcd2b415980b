"""Whether freed memory is kept is counted in page faults, in processes of their own."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping

import pytest

from handssl.allocator import KEEP_FREED_MEMORY

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

_MEGABYTES, _ROUNDS = 40, 8

_FAULTS = f"""
import resource, sys, threading
import torch
from handssl.allocator import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    for _ in range(16):  # until no small piece is left lying between the large ones
        torch.ones({_MEGABYTES}, 1 << 18)
    before = faults()
    for _ in range({_ROUNDS}):
        torch.ones({_MEGABYTES}, 1 << 18)
    print(faults() - before)

if "call" in sys.argv:
    assert keep_freed_memory()
thread = threading.Thread(target=work) if "thread" in sys.argv else None
thread.start() if thread else work()
"""

_ONCE = (_MEGABYTES << 20) // os.sysconf("SC_PAGE_SIZE")


def faults(*how: str, environment: Mapping[str, str] | None = None) -> int:
    """Page faults of taking the same memory again, `_ROUNDS` times."""
    inherited = {k: v for k, v in os.environ.items() if k not in KEEP_FREED_MEMORY}
    ran = subprocess.run(
        [sys.executable, "-c", _FAULTS, *how],
        env=inherited | dict(environment or {}),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.parametrize(
    ("how", "environment"),
    [(["call"], None), ([], KEEP_FREED_MEMORY), (["thread"], KEEP_FREED_MEMORY)],
    ids=["call", "environment", "environment, another thread"],
)
def test_memory_that_is_freed_is_not_taken_from_the_system_again(
    how: list[str], environment: Mapping[str, str] | None
) -> None:
    assert faults(*how, environment=environment) < _ONCE / 2


@pytest.mark.parametrize("how", [[], ["thread"]])
def test_as_it_is_without(how: list[str]) -> None:
    assert faults(*how) > _ROUNDS * _ONCE / 2
