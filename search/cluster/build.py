"""Convert a raw data set to its store on a Ray cluster; run it again to continue.

python search/build_store.py data=freihand data.root=FOLDER data.store=FOLDER plan=true
python search/build_store.py data=freihand data.root=FOLDER data.store=FOLDER cluster=auto
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError
from rich.console import Console

from handssl.data.store.forecast import Forecast
from handssl.errors import ConfigError, DataError
from search.cluster.tune import cluster
from search.config.schema import ClusterConfig, StoreConfig
from search.storage.s3 import is_bucket, shown
from search.trials.datasets import expected_size, open_data

Result = TypeVar("Result")

_AHEAD: Final = 16
"""Shards that wait, at least: what an autoscaler sees and starts nodes for."""


class TaskRunner:
    """Runs a build's shards as Ray tasks of one core; starts or joins Ray at the first.

    Tasks and not Ray Data: a shard is a file of 512 rows that is skipped if it is there, is
    renamed into place when it is whole, and is cut from a stream of labels that only the driver
    reads. Ray Data cuts blocks by their size and names its files itself, so neither the resume nor
    the fingerprint of the local build would hold, and its read tasks would each index the labels
    anew. What it would bring, retries and backpressure, is a task's `max_retries` and the bounded
    number of shards under way here.

    Args:
        config: The cluster.
        verbose: Whether Ray's own messages are shown.
    """

    def __init__(self, config: ClusterConfig, *, verbose: bool = False) -> None:
        self._config = config
        self._verbose = verbose

    def __call__(
        self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]
    ) -> Iterator[Result]:
        """Results as they come; a task whose node is lost is run again elsewhere.

        Raises:
            DataError: A shard's refusal, or the cluster cannot run tasks.
        """
        with cluster(self._config, verbose=self._verbose):
            remote: Any = ray.remote(num_cpus=1, max_retries=3)(function)
            pending: list[Any] = []
            try:
                for job in jobs:
                    if len(pending) >= max(_AHEAD, 2 * _cores()):
                        yield from self._next(pending)
                    pending.append(remote.remote(*job))
                while pending:
                    yield from self._next(pending)
            finally:
                for task in pending:
                    ray.cancel(task)

    @staticmethod
    def _next(pending: list[Any]) -> Iterator[Any]:
        """The results of all tasks that have ended, at least one; they leave the list."""
        done, left = ray.wait(pending, num_returns=len(pending), timeout=0)
        if not done:
            done, left = ray.wait(pending)
        pending[:] = left
        try:
            yield from ray.get(done)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise DataError(
                f"the cluster lost the tasks that build the store ({error}); run the same command "
                "again to continue"
            ) from error


def _cores() -> int:
    held: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(held.get("CPU", 1))


def build(
    config: StoreConfig, *, console: Console, verbose: bool = False, overrides: Sequence[str] = ()
) -> int:
    """Build the store, or print how large it will be; returns the exit status of the command.

    Raises:
        HandSSLError: The raw data or the store's folder cannot be used, or there is no room.
    """
    if is_bucket(config.data.store):
        raise ConfigError(
            f"data.store must be a path that all nodes share, but got "
            f"data.store={shown(config.data.store)}; a study with that data.store "
            "builds it on one machine and puts it there"
        )
    # A worker's process has a working directory of its own.
    data = dataclasses.replace(
        config.data,
        root=str(Path(config.data.root).resolve()),
        store=str(Path(config.data.store).resolve()),
    )

    def announce(expected: Forecast) -> None:
        console.print(f"expected: {expected}", markup=False)

    if config.plan:
        announce(expected_size(data))
        return 0
    store = open_data(
        data, console, runner=TaskRunner(config.cluster, verbose=verbose), announce=announce
    )
    counts = ", ".join(f"{count:,} {name}" for name, count in store.info["counts"].items())
    console.print(
        f"complete: {data.store}, {counts}, boxes={store.info['boxes']}, {store.fingerprint[:16]}",
        markup=False,
        soft_wrap=True,
    )
    return 0
