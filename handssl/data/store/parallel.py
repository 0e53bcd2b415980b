"""Worker processes with one thread each, fed a bounded number of jobs ahead."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

from handssl.errors import ConfigError, DataError

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

Result = TypeVar("Result")


class JobRunner(Protocol):
    """What runs a module's function on each of many arguments: these processes, or a cluster."""

    def __call__(
        self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]
    ) -> Iterator[Result]:
        """Results of `function(*job)`, as they come, in bounded memory."""
        ...


_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def default_processes() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(
    function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]], processes: int | None
) -> Iterator[Result]:
    """Results of `function(*job)`, as they come; at most a few jobs a process wait at a time.

    Args:
        function: A module's own function.
        jobs: Its arguments; consumed as workers become free, so it may be a long stream.
        processes: 1 runs in this process, None takes every core.

    Raises:
        ConfigError: `processes` is less than 1.
        DataError: A worker process died, say for want of memory.
    """
    processes = default_processes() if processes is None else processes
    if processes < 1:
        raise ConfigError(f"processes must be >= 1, but got processes={processes}")
    if processes == 1:
        for job in jobs:
            yield function(*job)
        return
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(processes, mp_context=context, initializer=_limit_worker) as pool,
    ):
        pending: set[Future[Result]] = set()
        try:
            for job in jobs:
                if len(pending) >= 2 * processes:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                pending.add(pool.submit(function, *job))
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died, probably for want of memory; run the same again to "
                f"continue, with fewer processes than {processes}"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside inherit thread counts of 1."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _limit_worker() -> None:
    # Ctrl-C reaches the whole group; only the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_cpu_count(1)
