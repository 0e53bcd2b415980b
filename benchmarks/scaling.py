"""Ray Train: from one worker of one core to two, and what a step costs beyond the plain loop.

Weak scaling: every worker has the same number of images a step, so two workers should make twice
the images a second of one. All through `search/run_grid.py trial.executor=train`, ResNet-18, 32
images a worker, at 128 px (the study's view) and at 64 px, where a step is a quarter as long but
the workers have as much to tell each other: 40 times batch statistics and 45 MB of gradients. The
fastest epoch after the first counts. The plain loop is the same run in a process of its own, and
the same twice, side by side, with nothing to tell each other, which shows what the machine allows:
its cores may share a cache, the memory, even arithmetic units. What two workers reach of two plain
loops is ours to answer for; what two plain loops reach of twice one is the machine's.
"""

import contextlib
import subprocess
import sys

import torch

from benchmarks.figure import ROOT, Row, row
from benchmarks.hands import embedded
from benchmarks.step import config_of
from benchmarks.studies import run_study
from handssl.training import pretraining

__all__ = ["measure"]


def measure(*, quick: bool = False) -> list[Row]:
    """Images a second of the plain loop, of one worker and of two, and their ratios."""
    sizes_px = (32,) if quick else (128, 64)
    return [own for size_px in sizes_px for own in _at(size_px, quick=quick)]


def _at(size_px: int, *, quick: bool) -> list[Row]:
    share, epochs, images = (8, 2, 96) if quick else (32, 3, 288)
    embedded(quick=quick)
    numbers = [size_px, share, epochs, images, int(quick)]
    (plain,) = _plain_images_per_s(numbers, processes=1)
    both = sum(_plain_images_per_s(numbers, processes=2))
    one, two = (
        _images_per_s(
            workers, size_px=size_px, share=share, epochs=epochs, images=images, quick=quick
        )
        for workers in (1, 2)
    )
    per_step_ms = 1000 * share * (1 / one - 1 / plain)
    least = 0.85 if size_px == 128 else None
    return [
        row(f"{size_px} px, plain loop, one core", plain, "images/s"),
        row(f"{size_px} px, two plain loops side by side", both, "images/s"),
        row(f"{size_px} px, two plain loops, share of ideal", both / (2 * plain)),
        row(f"{size_px} px, Ray Train, 1 worker", one, "images/s"),
        row(f"{size_px} px, Ray Train, 2 workers", two, "images/s"),
        row(
            f"{size_px} px, weak scaling 1 → 2 workers, share of ideal",
            two / (2 * one),
            least=least,
        ),
        row(f"{size_px} px, 2 workers, share of two plain loops", two / both),
        row(f"{size_px} px, a step of {share} images beyond the plain loop's", per_step_ms, "ms"),
        row(f"{size_px} px, the same as a share of the step", plain / one - 1),
    ]


def _plain_images_per_s(numbers: list[int], *, processes: int) -> list[float]:
    """Images a second of each of several plain loops that start together."""
    command = [sys.executable, "-m", "benchmarks.scaling", *map(str, numbers)]
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for _ in range(processes)
        ]
        pipes = [(own.stdin, own.stdout) for own in started]
        found = []
        for _, said in pipes:
            assert said is not None
            said.readline()  # it has warmed up
        for told, _ in pipes:
            assert told is not None
            told.write("go\n")
            told.flush()
        for _, said in pipes:
            assert said is not None
            found.append(float(said.readline()))
    return found


def _plain(size_px: int, share: int, epochs: int, images: int, quick: int) -> None:
    """One plain loop: an epoch to warm up, then the fastest of the others."""
    torch.set_num_threads(1)
    store = embedded(quick=bool(quick)).take(images).split("train")
    run = pretraining(
        config_of(size_px=size_px, batch_size=share, epochs=epochs), store, seed=0, device="cpu"
    )
    next(run)
    print("ready", flush=True)
    sys.stdin.readline()
    print(max(report.images_per_s for report in run), flush=True)


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
    _plain(*map(int, sys.argv[1:]))
