"""Run a function over many arguments in worker processes with one thread each."""

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor

from handssl.errors import DataError, require

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

Result = TypeVar("Result")


class JobRunner(Protocol):
    """Runs a module's function over many arguments: in processes, or on a cluster."""

    def __call__(
        self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]
    ) -> Iterator[Result]:
        """Results of `function(*job)` in order of completion, in bounded memory."""
        ...


def run_jobs(
    function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]], processes: int | None
) -> Iterator[Result]:
    """Results of `function(*job)` in order of completion; only a few jobs wait at a time.

    Args:
        function: A function of a module.
        jobs: Its arguments, which may be a long stream: it is read as workers become free.
        processes: 1 runs in this process, None takes every core.

    Raises:
        ConfigError: `processes` is less than 1.
        DataError: A worker process died, for example because memory ran out.

    Example:
        >>> sorted(run_jobs(pow, [(2, 3), (3, 2)], processes=1))
        [8, 9]
    """
    processes = cpu_count() if processes is None else processes
    require(processes >= 1, f"processes must be >= 1, but got processes={processes}")
    if processes == 1:
        for job in jobs:
            yield function(*job)
        return
    with parallel_config("loky", inner_max_num_threads=1, initializer=_ignore_interrupts):
        parallel = Parallel(
            n_jobs=processes,
            return_as="generator_unordered",
            pre_dispatch=2 * processes,
            batch_size=1,
            max_nbytes=None,  # arguments are small; no files of them in /dev/shm
        )
        results = parallel(delayed(function)(*job) for job in jobs)
    try:
        # Not `yield from`, which would close the results before `finally` does.
        for result in results:  # noqa: UP028
            yield result
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process died, probably because memory ran out; run the same command again "
            f"to continue, with fewer processes than {processes}"
        ) from error
    finally:
        with warnings.catch_warnings():
            # joblib warns a caller that stops early, as one that was interrupted does.
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        # joblib would keep idle workers, and their memory, for five minutes.
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _ignore_interrupts() -> None:
    # Ctrl-C reaches every process of the group; the parent alone handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
