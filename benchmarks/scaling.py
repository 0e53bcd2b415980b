"""Ray Train: from one worker of one core to two, and what a step costs beyond the plain loop.

Weak scaling: every worker has one core, the same number of images a step and of steps an epoch, so
two workers should make twice the images a second of one. All through `search/run_grid.py
trial.executor=train`, ResNet-18 at 128 px, the study's view, with 32 images a worker and with 128
(the study has 512): a step tells the other worker 40 times batch statistics and once 45 MB of
gradients, whatever its length.

Ray's own processes (driver, daemons, dashboard, Ray Train's actors) need a core too. So that the
cores grow with the workers, one worker and all of Ray are kept on one core, and two workers and
all of Ray have two. One worker is also measured with a second core for Ray alone: against that,
two workers on two cores pay for Ray as well.

Where the rest goes: the plain loop in a process of its own, then twice side by side with nothing
to tell each other, which is what the machine allows (its cores may share a cache, the memory, even
arithmetic units), then as two workers of a gloo group, without Ray. CPU time an image tells work
from waiting, and what the workers' messages and statistics cost from what a busy neighbour does.
A plain loop under glibc's own settings says what keeping freed memory brings: `handssl.allocator`.

The runs that are compared take turns, twice, and of each the fastest epoch after its first counts:
a machine that others use too has good minutes and bad ones.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from benchmarks.figure import ROOT, Row, row
from benchmarks.hands import embedded
from benchmarks.step import config_of
from benchmarks.studies import run_study
from handssl.allocator import KEEP_FREED_MEMORY
from handssl.training import Pretraining

_T = TypeVar("_T")


class _Case(NamedTuple):
    """Side of a view; images of a worker's step; epochs; a worker's images, before the split."""

    size_px: int
    share: int
    epochs: int
    images: int
    poses: int


_CASES: Final = (_Case(128, 32, 4, 240, 120), _Case(128, 128, 3, 440, 240))
_QUICK: Final = (_Case(32, 8, 2, 48, 30),)


def measure(*, quick: bool = False) -> list[Row]:
    """Images a second of the plain loop, of one worker and of two, and their ratios."""
    cases = _QUICK if quick else _CASES
    turns = 1 if quick else 2
    return [*_machine(cases[0], turns), *(own for case in cases for own in _workers(case, turns))]


def _machine(case: _Case, turns: int) -> list[Row]:
    """What the machine and its memory allow, without workers."""
    embedded(quick=False, poses=case.poses)
    given, plain, both = (
        _Loops(max(own.images_per_s for own in took), min(own.cpu_ms for own in took))
        for took in _in_turn(
            turns,
            lambda: _loops(case, processes=1, kept=False),
            lambda: _loops(case, processes=1),
            lambda: _loops(case, processes=2),
        )
    )
    return [
        row("plain loop under glibc's own settings", given.images_per_s, "images/s"),
        row("plain loop, one core", plain.images_per_s, "images/s"),
        row(
            "plain loop, CPU time an image, share of that under glibc's",
            plain.cpu_ms / given.cpu_ms,
        ),
        row(
            "two plain loops side by side, share of ideal",
            both.images_per_s / (2 * plain.images_per_s),
        ),
        row("CPU time an image: plain, two plain", f"{plain.cpu_ms:.1f}, {both.cpu_ms:.1f} ms"),
    ]


def _workers(case: _Case, turns: int) -> list[Row]:
    embedded(quick=False, poses=case.poses)
    plain, group, alone, two, spare = map(
        max,
        _in_turn(
            turns,
            lambda: _loops(case, processes=1).images_per_s,
            lambda: _loops(case, processes=2, joined=True).images_per_s,
            lambda: _images_per_s(case, 1, cores=1),
            lambda: _images_per_s(case, 2, cores=2),
            lambda: _images_per_s(case, 1, cores=2),
        ),
    )
    head = f"{case.share} images a worker"
    return [
        row(f"{head}: plain loop", plain, "images/s"),
        row(f"{head}: 2 workers without Ray, share of ideal", group / (2 * plain)),
        row(f"{head}: Ray Train, 1 worker and all of Ray on 1 core", alone, "images/s"),
        row(f"{head}: Ray Train, 2 workers and all of Ray on 2 cores", two, "images/s"),
        row(
            f"{head}: weak scaling, 1 → 2 workers of one core each, share of ideal",
            two / (2 * alone),
            least=0.85 if case.size_px == 128 else None,
        ),
        row(f"{head}: Ray Train, 1 worker on 1 core, Ray on another", spare, "images/s"),
        row(f"{head}: 2 workers on 2 cores against that, share of ideal", two / (2 * spare)),
        row(
            f"{head}: a step beyond the plain loop's, Ray on another core",
            1000 * case.share * (1 / spare - 1 / plain),
            "ms",
        ),
        row(f"{head}: the same as a share of the step", plain / spare - 1),
        row(f"{head}: what Ray takes of one core that it shares", 1 - alone / plain),
    ]


def _in_turn(turns: int, *measures: Callable[[], _T]) -> list[tuple[_T, ...]]:
    """Each measure's results, where all take turns."""
    return list(zip(*([own() for own in measures] for _ in range(turns)), strict=True))


class _Loops(NamedTuple):
    """What loops did together: images a second of all, milliseconds of CPU time an image."""

    images_per_s: float
    cpu_ms: float


@contextlib.contextmanager
def _on(cores: int) -> Iterator[None]:
    """Keeps this process, and what it starts, on so many cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _loops(case: _Case, *, processes: int, joined: bool = False, kept: bool = True) -> _Loops:
    """Several loops, started together.

    Args:
        case: What every loop does.
        processes: How many loops, which start together.
        joined: Whether they are the workers of one run.
        kept: Whether freed memory is kept, as in a study.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "benchmarks.scaling", *map(str, case)),
                        *((str(rank), str(processes), f"{folder}/meet") if joined else ()),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=os.environ | dict(KEEP_FREED_MEMORY if kept else {}),
                )
            )
            for rank in range(processes)
        ]
        for own in started:
            assert own.stdout is not None
            own.stdout.readline()  # it has warmed up
        for own in started:
            assert own.stdin is not None
            own.stdin.write("go\n")
            own.stdin.flush()
        said = [own.communicate()[0].split() for own in started]
    if any(own.returncode for own in started):
        raise RuntimeError(f"{[own.args for own in started]} ended with an error")
    rates, cpu_ms = zip(*((float(rate), float(ms)) for rate, ms in said), strict=True)
    return _Loops(sum(rates), sum(cpu_ms) / processes)


def _loop(case: _Case, group: list[str]) -> None:
    """One loop: an epoch to warm up, then this process's share of the fastest of the others."""
    torch.set_num_threads(1)
    workers = 1
    if group:
        rank, count, meet = group
        workers = int(count)
        dist.init_process_group(
            "gloo", init_method=f"file://{meet}", rank=int(rank), world_size=workers
        )
    store = embedded(quick=False, poses=case.poses).take(case.images * workers).split("train")
    config = config_of(size_px=case.size_px, batch_size=case.share * workers, epochs=case.epochs)
    run = Pretraining(config, store, seed=0)
    next(run)
    print("ready", flush=True)
    sys.stdin.readline()
    start, before = time.process_time(), run.step
    fastest = max(report.images_per_s for report in run) / workers
    cpu_ms = 1000 * (time.process_time() - start) / ((run.step - before) * case.share)
    print(fastest, cpu_ms, flush=True)
    if group:
        dist.destroy_process_group()


def _images_per_s(case: _Case, workers: int, *, cores: int) -> float:
    with _on(cores):
        (trial,) = run_study(
            [
                "trial.executor=train",
                f"trial.workers={workers}",
                "search.augmentations=[rotate]",
                "~search.objectives.relative",
                f"study.epochs={case.epochs}",
                f"study.images={case.images * workers}",
                f"trial.pretrain.size_px={case.size_px}",
                f"trial.pretrain.batch_size={case.share * workers}",
                "trial.pretrain.encoder.name=resnet18",
                "trial.pretrain.optimizer.name=lars_adam",
                "trial.pretrain.optimizer.warmup_epochs=0",
                "trial.pretrain.optimizer.base_lr=1e-4",
                "trial.probe.augmented_passes=0",
            ],
            quick=False,
            poses=case.poses,
        )
    return max(float(report["images_per_s"]) for report in trial.reports[1:])


if __name__ == "__main__":
    _loop(_Case(*map(int, sys.argv[1:6])), sys.argv[6:])
