import dataclasses
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from handssl.data import Store
from handssl.errors import ConfigError
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining
from handssl.training.batches import worker_rows
from tests.small import small_objective

Small = Callable[..., PretrainConfig]
WORKER = Path(__file__).with_name("worker.py")


def trained(config: PretrainConfig, store: Store, *, seed: int, **paths: Any) -> Pretraining:
    run = Pretraining(config, store, seed=seed, **paths)
    list(run)
    return run


def run_workers(
    count: int, store_path: Path, config: PretrainConfig, folder: Path, *part: object
) -> list[Any]:
    """Results of every worker of a gloo group, each a process of its own; see `worker.py`."""
    folder.mkdir()
    settings = json.dumps(dataclasses.asdict(config))
    arguments = [count, folder / "meet", store_path, settings, folder / "out", *part]
    commands = [[sys.executable, WORKER, rank, *arguments] for rank in range(count)]
    processes = [
        subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    try:
        errors = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * count, errors
    return [torch.load(folder / f"out.{rank}", weights_only=True) for rank in range(count)]


@pytest.mark.parametrize(
    ("objective", "composition"),
    [("contrastive", "translate+scale+color_jitter"), ("relative", "translate+rotate")],
)
def test_any_number_of_workers_gives_the_same_gradients_and_loss_curve(  # noqa: PLR0917
    store: Store,
    store_path: Path,
    small_config: Small,
    tmp_path: Path,
    objective: str,
    composition: str,
) -> None:
    config = small_config(
        objective=small_objective(objective),
        composition=composition,
        size_px=32,
        # Small steps: with batches of 8, one ReLU that rounding flips moves a gradient by a
        # hundredth, and large steps multiply that tenfold each. The gradients are compared apart.
        optimizer=OptimizerConfig(name="lamb", warmup_epochs=0.0, base_lr=1e-4),
        epochs=3,
    )
    alone = trained(config, store, seed=4)
    (single,) = run_workers(1, store_path, config, tmp_path / "one")
    first, second = run_workers(2, store_path, config, tmp_path / "two")

    expected = [loss for report in alone.history for loss in report.losses]
    assert max(expected) - min(expected) > 1e-2, "the parameters must have moved"
    assert first["losses"] == pytest.approx(expected, rel=1e-4)
    assert first["losses"] == second["losses"]
    assert single["losses"] == expected, "one worker in a group is the plain run"
    for name, value in alone.encoder.state_dict().items():
        assert torch.equal(single["encoder"][name], value), name
        assert torch.equal(first["encoder"][name], second["encoder"][name]), name
    for ours, theirs in zip(alone.history, first["terms"], strict=True):
        assert theirs == pytest.approx(ours.terms, rel=1e-3)

    resumed = trained(config, store, seed=4, resume=tmp_path / "two" / "out.ckpt")
    assert [loss for report in resumed.history for loss in report.losses] == first["losses"]

    joined = torch.cat([g.flatten() for g in single["gradients"].values()])
    shared = torch.cat([g.flatten() for g in first["gradients"].values()])
    assert (joined - shared).norm() < 1e-5 * joined.norm()


@pytest.mark.slow
def test_a_run_continues_with_another_number_of_workers(
    store: Store, store_path: Path, small_config: Small, tmp_path: Path
) -> None:
    config = small_config(
        objective=small_objective("contrastive"),
        size_px=32,
        optimizer=OptimizerConfig(name="lamb", warmup_epochs=0.0, base_lr=1e-4),
        epochs=3,
    )
    alone = trained(config, store, seed=4)
    expected = [loss for report in alone.history for loss in report.losses]
    assert max(expected) - min(expected) > 1e-2, "the parameters must have moved"
    # Two workers, then one, then two: an epoch each.
    resume: list[Path] = []
    for epoch, count in enumerate((2, 1, 2), start=1):
        folder = tmp_path / str(epoch)
        for worker in run_workers(count, store_path, config, folder, 1, *resume):
            steps = len(expected) // 3 * epoch
            assert worker["losses"] == pytest.approx(expected[:steps], rel=1e-4)
        resume = [folder / "out.ckpt"]


def test_shares_cover_the_batch_in_order() -> None:
    rows = list(range(12))
    shares = [rows[worker_rows(12, rank=rank, world_size=3)] for rank in range(3)]
    assert list(itertools.chain.from_iterable(shares)) == rows


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"workers, 3.*batch_size=8"):
        worker_rows(8, rank=0, world_size=3)
