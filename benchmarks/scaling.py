"""Ray Train: from one worker of one core to two, and what a step costs beyond the plain loop.

Weak scaling: every worker has the same number of images a step and of steps an epoch, so two
workers should make twice the images a second of one. All through `search/run_grid.py
trial.executor=train`, ResNet-18, 32 images a worker, at 128 px (the study's view) and at 64 px,
where a step is a quarter as long but the workers have as much to tell each other: 40 times batch
statistics and 45 MB of gradients. The fastest epoch after the first counts.

Where the rest goes: the plain loop in a process of its own, then twice side by side with nothing
to tell each other, which is what the machine allows (its cores may share a cache, the memory, even
arithmetic units), then as two workers of a gloo group, without Ray. CPU time an image tells work
from waiting, and what the workers' messages and statistics cost from what a busy neighbour does.
A plain loop under glibc's own settings says what keeping freed memory brings: `handssl.allocator`.
"""

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time

import torch
import torch.distributed as dist

from benchmarks.figure import ROOT, Row, row
from benchmarks.hands import embedded
from benchmarks.step import config_of
from benchmarks.studies import run_study
from handssl.allocator import KEEP_FREED_MEMORY
from handssl.training import pretraining

__all__ = ["measure"]


def measure(*, quick: bool = False) -> list[Row]:
    """Images a second of the plain loop, of one worker and of two, and their ratios."""
    sizes_px = (32,) if quick else (128, 64)
    return [own for size_px in sizes_px for own in _at(size_px, quick=quick)]


def _at(size_px: int, *, quick: bool) -> list[Row]:
    share, epochs, images = (8, 2, 48) if quick else (32, 5, 240)
    embedded(quick=quick)
    loops = functools.partial(_loops, [size_px, share, epochs, images, int(quick)])
    (given, given_ms), (plain, plain_ms), (both, both_ms), (group, group_ms) = (
        loops(processes=1, kept=False),
        loops(processes=1),
        loops(processes=2),
        loops(processes=2, joined=True),
    )
    one, two = (
        _images_per_s(
            workers,
            size_px=size_px,
            share=share,
            epochs=epochs,
            images=images * workers,
            quick=quick,
        )
        for workers in (1, 2)
    )
    per_step_ms = 1000 * share * (1 / one - 1 / plain)
    least = 0.85 if size_px == 128 else None
    return [
        row(f"{size_px} px, plain loop, one core", plain, "images/s"),
        row(f"{size_px} px, plain loop under glibc's own settings", given, "images/s"),
        row(f"{size_px} px, CPU time an image, share of that under them", plain_ms / given_ms),
        row(f"{size_px} px, two plain loops side by side", both, "images/s"),
        row(f"{size_px} px, two plain loops, share of ideal", both / (2 * plain)),
        row(f"{size_px} px, 2 workers without Ray", group, "images/s"),
        row(f"{size_px} px, 2 workers without Ray, share of two plain loops", group / both),
        row(
            f"{size_px} px, CPU time an image: plain, two plain, 2 workers",
            f"{plain_ms:.1f}, {both_ms:.1f}, {group_ms:.1f} ms",
        ),
        row(f"{size_px} px, Ray Train, 1 worker", one, "images/s"),
        row(f"{size_px} px, Ray Train, 2 workers", two, "images/s"),
        row(
            f"{size_px} px, weak scaling 1 → 2 workers, share of ideal",
            two / (2 * one),
            least=least,
        ),
        row(f"{size_px} px, Ray Train, 2 workers, share of two plain loops", two / both),
        row(f"{size_px} px, a step of {share} images beyond the plain loop's", per_step_ms, "ms"),
        row(f"{size_px} px, the same as a share of the step", plain / one - 1),
    ]


def _loops(
    numbers: list[int], *, processes: int, joined: bool = False, kept: bool = True
) -> tuple[float, float]:
    """Images a second of several loops together, and milliseconds of CPU time an image.

    Args:
        numbers: Side of a view; images of a batch, epochs, images of each loop; whether quick.
        processes: How many loops, which start together.
        joined: Whether they are the workers of one run.
        kept: Whether freed memory is kept, as in a study.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "benchmarks.scaling", *map(str, numbers)),
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


def _loop(numbers: list[int], group: list[str]) -> None:
    """One loop: an epoch to warm up, then this process's share of the fastest of the others."""
    torch.set_num_threads(1)
    size_px, share, epochs, images, quick = numbers
    workers = 1
    if group:
        rank, count, meet = group
        workers = int(count)
        dist.init_process_group(
            "gloo", init_method=f"file://{meet}", rank=int(rank), world_size=workers
        )
    store = embedded(quick=bool(quick)).take(images * workers).split("train")
    config = config_of(size_px=size_px, batch_size=share * workers, epochs=epochs)
    run = pretraining(config, store, seed=0)
    next(run)
    print("ready", flush=True)
    sys.stdin.readline()
    start, before = time.process_time(), run.step
    fastest = max(report.images_per_s for report in run) / workers
    cpu_ms = 1000 * (time.process_time() - start) / ((run.step - before) * share)
    print(fastest, cpu_ms, flush=True)


def _images_per_s(
    workers: int, *, size_px: int, share: int, epochs: int, images: int, quick: bool
) -> float:
    (trial,) = run_study(
        [
            "trial.executor=train",
            f"trial.workers={workers}",
            "search.augmentations=[rotate]",
            "~search.objectives.relative",
            f"study.epochs={epochs}",
            f"study.images={images}",
            f"trial.pretrain.size_px={size_px}",
            f"trial.pretrain.batch_size={share * workers}",
            "trial.pretrain.encoder.name=resnet18",
            "trial.pretrain.optimizer.name=lars_adam",
            "trial.pretrain.optimizer.warmup_epochs=0",
            "trial.pretrain.optimizer.base_lr=1e-4",
            "trial.probe.augmented_passes=0",
        ],
        quick=quick,
    )
    return max(float(report["images_per_s"]) for report in trial.reports[1:])


if __name__ == "__main__":
    _loop([int(own) for own in sys.argv[1:6]], sys.argv[6:])
