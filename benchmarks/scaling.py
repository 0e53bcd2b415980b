"""Ray Train: from one worker of one core to two, and what a step costs beyond the plain loop.

Weak scaling: every worker has the same number of images a step and of steps an epoch, so two
workers should make twice the images a second of one. All through `search/run_grid.py
trial.executor=train`, ResNet-18 at 128 px, the study's view, with 32 images a worker and with 128
(the study has 512): a step tells the other worker 40 times batch statistics and once 45 MB of
gradients, whatever its length. The fastest epoch after the first counts.

With one worker, Ray's own processes (driver, daemons, dashboard, Ray Train's actors) have the
other core to themselves; with two there is none left for them. So one worker is also measured with
all of Ray on its one core: from one core to two, each with its share of everything.

Where the rest goes: the plain loop in a process of its own, then twice side by side with nothing
to tell each other, which is what the machine allows (its cores may share a cache, the memory, even
arithmetic units), then as two workers of a gloo group, without Ray. CPU time an image tells work
from waiting, and what the workers' messages and statistics cost from what a busy neighbour does.
A plain loop under glibc's own settings says what keeping freed memory brings: `handssl.allocator`.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import torch
import torch.distributed as dist

from benchmarks.figure import ROOT, Row, row
from benchmarks.hands import embedded
from benchmarks.step import config_of
from benchmarks.studies import run_study
from handssl.allocator import KEEP_FREED_MEMORY
from handssl.training import pretraining

__all__ = ["measure"]


class _Case(NamedTuple):
    """Side of a view; images of a worker's step; epochs; a worker's images, before the split."""

    size_px: int
    share: int
    epochs: int
    images: int
    poses: int


_CASES: Final = (_Case(128, 32, 5, 240, 120), _Case(128, 128, 3, 440, 240))
_QUICK: Final = (_Case(32, 8, 2, 48, 30),)


def measure(*, quick: bool = False) -> list[Row]:
    """Images a second of the plain loop, of one worker and of two, and their ratios."""
    cases = _QUICK if quick else _CASES
    return [*_machine(cases[0]), *(own for case in cases for own in _workers(case))]


def _machine(case: _Case) -> list[Row]:
    """What the machine and its memory allow, without workers."""
    embedded(quick=False, poses=case.poses)
    given, given_ms = _loops(case, processes=1, kept=False)
    plain, plain_ms = _loops(case, processes=1)
    both, both_ms = _loops(case, processes=2)
    return [
        row("plain loop under glibc's own settings", given, "images/s"),
        row("plain loop, one core", plain, "images/s"),
        row("plain loop, CPU time an image, share of that under glibc's", plain_ms / given_ms),
        row("two plain loops side by side, share of ideal", both / (2 * plain)),
        row("CPU time an image: plain, two plain", f"{plain_ms:.1f}, {both_ms:.1f} ms"),
    ]


def _workers(case: _Case) -> list[Row]:
    embedded(quick=False, poses=case.poses)
    plain, _ = _loops(case, processes=1)
    group, group_ms = _loops(case, processes=2, joined=True)
    one = _images_per_s(case, 1)
    two = _images_per_s(case, 2)
    with _on_one_core():
        alone = _images_per_s(case, 1)
    head = f"{case.share} images a worker"
    per_step_ms = 1000 * case.share * (1 / one - 1 / plain)
    return [
        row(f"{head}: plain loop", plain, "images/s"),
        row(f"{head}: 2 workers without Ray, share of ideal", group / (2 * plain)),
        row(f"{head}: CPU time an image of those", group_ms, "ms"),
        row(f"{head}: Ray Train, 1 worker", one, "images/s"),
        row(f"{head}: Ray Train, 2 workers", two, "images/s"),
        row(
            f"{head}: weak scaling 1 → 2 workers, share of ideal",
            two / (2 * one),
            least=0.85 if case.size_px == 128 else None,
        ),
        row(f"{head}: Ray Train, 1 worker, all of Ray on its core", alone, "images/s"),
        row(f"{head}: weak scaling, 1 core → 2 cores, share of ideal", two / (2 * alone)),
        row(f"{head}: a step beyond the plain loop's", per_step_ms, "ms"),
        row(f"{head}: the same as a share of the step", plain / one - 1),
    ]


@contextlib.contextmanager
def _on_one_core() -> Iterator[None]:
    """Keeps this process, and what it starts, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _loops(
    case: _Case, *, processes: int, joined: bool = False, kept: bool = True
) -> tuple[float, float]:
    """Images a second of several loops together, and milliseconds of CPU time an image.

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
    rates, cpu_ms = zip(*((float(rate), float(ms)) for rate, ms in said), strict=True)
    return sum(rates), sum(cpu_ms) / processes


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
    run = pretraining(config, store, seed=0)
    next(run)
    print("ready", flush=True)
    sys.stdin.readline()
    start, before = time.process_time(), run.step
    fastest = max(report.images_per_s for report in run) / workers
    cpu_ms = 1000 * (time.process_time() - start) / ((run.step - before) * case.share)
    print(fastest, cpu_ms, flush=True)


def _images_per_s(case: _Case, workers: int) -> float:
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
