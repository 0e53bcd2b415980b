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
from handssl.records.uri import is_bucket, redact
from search.cluster.resources import running_resources
from search.cluster.session import cluster_session
from search.config.schema import ClusterConfig, StoreConfig
from search.trials.datasets import expected_size, open_data

Result = TypeVar("Result")

_MIN_PENDING: Final = 16
"""Shards that wait for a core, at least: the demand that an autoscaler sees."""


class TaskRunner:
    """Run the shards of a build as Ray tasks of one core; the first call starts or joins Ray.

    Tasks and not Ray Data: a shard is a file of 512 rows, which is skipped if it exists, renamed
    when it is complete, and cut from a stream of labels that only the driver reads. Ray Data
    chooses the size of its blocks and the names of its files, so a build could neither resume nor
    have the fingerprint of a local build, and each of its read tasks would index the labels. Its
    retries are `max_retries` of a task, and its backpressure the bound on pending shards.

    With `verbose`, Ray's messages are printed.
    """

    def __init__(self, config: ClusterConfig, *, verbose: bool = False) -> None:
        self._config = config
        self._verbose = verbose

    def __call__(
        self, function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]
    ) -> Iterator[Result]:
        """Yield results as tasks end; a task runs again if its node is lost.

        Raises:
            DataError: A shard was refused, or the cluster cannot run tasks.
        """
        with cluster_session(self._config, verbose=self._verbose):
            remote: Any = ray.remote(num_cpus=1, max_retries=3)(function)
            pending: list[Any] = []
            try:
                for job in jobs:
                    if len(pending) >= max(_MIN_PENDING, 2 * int(running_resources()[0])):
                        yield from self._next(pending)
                    pending.append(remote.remote(*job))
                while pending:
                    yield from self._next(pending)
            finally:
                for task in pending:
                    ray.cancel(task)

    @staticmethod
    def _next(pending: list[Any]) -> Iterator[Any]:
        """Remove one or more ended tasks from the list, and yield their results."""
        done, pending[:] = ray.wait(pending, num_returns=len(pending), timeout=0)
        if not done:
            done, pending[:] = ray.wait(pending)
        try:
            yield from ray.get(done)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise DataError(
                f"the cluster lost the tasks that build the store ({error}); run the same command "
                "again to continue"
            ) from error


def build(
    config: StoreConfig, *, console: Console, verbose: bool = False, overrides: Sequence[str] = ()
) -> int:
    """Build the store, or print its expected size; returns the exit status of the command.

    Raises:
        HandSSLError: The raw data or the store's folder cannot be used, or the disk is too small.
    """
    if is_bucket(config.data.store):
        raise ConfigError(
            f"data.store must be a path that all nodes share, but got data.store="
            f"{redact(config.data.store)}; a study with that data.store builds it on one machine "
            "and uploads it"
        )
    # The working directory of a worker is another one.
    root, out = (str(Path(folder).resolve()) for folder in (config.data.root, config.data.store))
    data = dataclasses.replace(config.data, root=root, store=out)

    def announce(expected: Forecast) -> None:
        console.print(f"expected: {expected}", markup=False)

    if config.plan:
        announce(expected_size(data))
        return 0
    runner = TaskRunner(config.cluster, verbose=verbose)
    store = open_data(data, console, runner=runner, announce=announce)
    counts = ", ".join(f"{count:,} {name}" for name, count in store.info["counts"].items())
    text = f"{data.store}, {counts}, boxes={store.info['boxes']}, {store.fingerprint[:16]}"
    console.print(f"complete: {text}", markup=False, soft_wrap=True)
    return 0
