import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psutil
import pytest

from handssl.data.store.parallel import run_jobs
from handssl.errors import ConfigError, DataError


def _square(number: int) -> int:
    return number * number


def _wait(number: int) -> None:
    time.sleep(0.03)


def _threads() -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def _die_or_wait(number: int) -> None:
    if number == 0:
        os._exit(1)
    time.sleep(0.1)


def _refuse(number: int) -> None:
    raise DataError(f"{number} is broken")


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes: int) -> None:
    jobs = [(number,) for number in range(20)]
    assert sorted(run_jobs(_square, jobs, processes)) == [number**2 for number in range(20)]


def test_a_long_stream_of_jobs_is_consumed_as_workers_become_free() -> None:
    consumed = 0
    most_ahead = 0

    def jobs() -> Iterator[tuple[int]]:
        nonlocal consumed
        for number in range(40):
            consumed += 1
            yield (number,)

    for received, _ in enumerate(run_jobs(_wait, jobs(), 2), start=1):
        most_ahead = max(most_ahead, consumed - received)
    assert received == 40
    assert 2 <= most_ahead <= 12


def test_no_worker_outlives_its_jobs() -> None:
    for count in (6, 1):  # all results, and a caller that stops after the first
        list(itertools.islice(run_jobs(_square, ((n,) for n in range(6)), 2), count))
        children = [child.cmdline() for child in psutil.Process().children()]
        assert not [command for command in children if "popen_loky" in " ".join(command)]


def test_workers_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert set(run_jobs(_threads, [()] * 4, 2)) == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def _broken_stream() -> Iterator[tuple[int]]:
    yield from ((number,) for number in range(9))
    raise DataError("labels are broken")


@pytest.mark.parametrize(
    ("function", "jobs", "reason"),
    [
        (_die_or_wait, [(number,) for number in range(6)], "worker process died"),
        (_refuse, [(3,)] * 5, "3 is broken"),
        (_square, _broken_stream(), "labels are broken"),
    ],
)
def test_an_error_reaches_the_caller(
    function: Callable[..., Any], jobs: Iterable[tuple[int]], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        list(run_jobs(function, jobs, 2))


def test_no_processes_are_refused() -> None:
    with pytest.raises(ConfigError, match="processes=0"):
        list(run_jobs(_square, [], 0))
