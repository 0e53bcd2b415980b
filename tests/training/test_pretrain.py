import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from handssl.data import Store
from handssl.errors import ConfigError, DataError, NonFiniteLossError
from handssl.objectives import objective_config
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining
from tests.small import small_objective

Small = Callable[..., PretrainConfig]


def trained(config: PretrainConfig, store: Store, *, seed: int, **paths: Any) -> Pretraining:
    run = Pretraining(config, store, seed=seed, **paths)
    list(run)
    return run


def test_a_run_reports_every_epoch_and_trains_the_encoder(
    store: Store, small_config: Small
) -> None:
    run = Pretraining(small_config(), store, seed=1)
    reports = list(run)
    assert [r.epoch for r in reports] == [1, 2, 3]
    assert [r.step for r in reports] == [2, 4, 6]
    assert all(r.total_steps == 6 and len(r.losses) == 2 for r in reports)
    assert run.history == reports
    assert run.encoder_steps == 6
    assert run.encoder(torch.rand(2, 3, 16, 16)).shape == (2, 512)
    parts = ("encoder", "objective", "optimizer", "augment", "data")
    for timings in (report.timings_s for report in reports):
        assert sum(timings[part] for part in parts) <= timings["total"]
        assert all(timings[part] > 0 for part in parts)


@pytest.mark.parametrize("objective", ["contrastive", "relative"])
def test_the_loss_falls(store: Store, small_config: Small, objective: str) -> None:
    # Over several seeds it fell below 0.6 of the first value (contrastive) and 0.4 (relative).
    config = small_config(
        objective=small_objective(objective),
        composition="translate" if objective == "contrastive" else "translate+scale+color_jitter",
        epochs=16,
    )
    history = trained(config, store, seed=1).history
    assert history[-1].loss < 0.75 * history[0].loss


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    store: Store, small_config: Small
) -> None:
    torch.manual_seed(0)
    first = trained(small_config(), store, seed=1)
    torch.manual_seed(1)
    torch.rand(7)
    state = torch.get_rng_state()
    second = trained(small_config(), store, seed=1)
    assert torch.equal(state, torch.get_rng_state()), "the global state must stay untouched"
    other = trained(small_config(), store, seed=2)
    assert [r.losses for r in first.history] == [r.losses for r in second.history]
    assert first.history[0].losses != other.history[0].losses


@pytest.mark.parametrize("optimizer", ["lars_adam", "lamb", "adam", "lars_sgd"])
@pytest.mark.parametrize("objective", ["contrastive", "relative"])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    store: Store, small_config: Small, tmp_path: Path, optimizer: str, objective: str
) -> None:
    config = small_config(
        objective=small_objective(objective),
        optimizer=OptimizerConfig(name=optimizer, warmup_epochs=1.0, base_lr=1e-3),
    )
    whole = trained(config, store, seed=3)
    stopped = Pretraining(config, store, seed=3, checkpoint=tmp_path / "run.ckpt")
    next(stopped)
    resumed = trained(config, store, seed=3, resume=tmp_path / "run.ckpt")
    assert [r.losses for r in resumed.history] == [r.losses for r in whole.history]
    assert [r.terms for r in resumed.history] == [r.terms for r in whole.history]
    for name, value in whole.encoder.state_dict().items():
        assert torch.equal(value, resumed.encoder.state_dict()[name]), name


def test_resuming_a_finished_run_does_nothing_more(
    store: Store, small_config: Small, tmp_path: Path
) -> None:
    path = tmp_path / "run.ckpt"
    whole = trained(small_config(epochs=2), store, seed=3, checkpoint=path)
    again = Pretraining(small_config(epochs=2), store, seed=3, resume=path)
    assert list(again) == []
    assert [r.losses for r in again.history] == [r.losses for r in whole.history]


def test_a_non_finite_loss_stops_the_run_with_what_is_known(
    store: Store, small_config: Small
) -> None:
    config = small_config(
        epochs=5, optimizer=OptimizerConfig(name="adam", warmup_epochs=0.0, base_lr=1e25)
    )
    with pytest.raises(NonFiniteLossError, match="not finite at step=") as caught:
        trained(config, store, seed=1)
    assert caught.value.step > 0
    assert caught.value.last_finite_loss is not None
    assert {"encoder.conv1", "encoder.layer4", "objective"} <= caught.value.parameter_norms.keys()


def test_a_checkpoint_of_another_run_is_refused_with_the_difference(
    store: Store, small_config: Small, tmp_path: Path
) -> None:
    path = tmp_path / "run.ckpt"
    next(Pretraining(small_config(), store, seed=1, checkpoint=path))
    for message, config, images, seed in (
        (r"config\.epochs must be that of the checkpoint", small_config(epochs=4), store, 1),
        ("seed must be", small_config(), store, 2),
        (r"data\.rows must be", small_config(), store.take(16), 1),
    ):
        with pytest.raises(ConfigError, match=message):
            Pretraining(config, images, seed=seed, resume=path)


def test_accumulated_batches_average_their_gradients(store: Store, small_config: Small) -> None:
    """With one step in all, the loss is the mean of the two batches' losses at the start."""
    config = small_config(
        objective=objective_config("relative"),
        epochs=2,
        optimizer=OptimizerConfig(warmup_epochs=1.0, base_lr=1e-30),
    )
    joined = trained(dataclasses.replace(config, accumulation=2), store, seed=5)
    single = trained(config, store, seed=5)
    mean = sum(single.history[0].losses) / 2
    assert joined.history[0].losses[0] == pytest.approx(mean, rel=1e-6)
    assert joined.encoder_steps == 4


@pytest.mark.parametrize(
    ("changes", "paths", "message"),
    [
        ({"batch_size": 16, "accumulation": 2}, {}, "number of images, 20, but got batch_size=16"),
        ({"size_px": 41}, {}, "images, 40, but got size_px=41"),
        ({}, {"device": "cuda"}, "device=cuda without CUDA"),
        ({}, {"resume": Path("none.ckpt")}, "resume must be an existing checkpoint.*none"),
    ],
)
def test_a_run_that_cannot_start_is_refused(  # noqa: PLR0917
    store: Store,
    small_config: Small,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, int],
    paths: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises((ConfigError, DataError), match=message):
        Pretraining(small_config(**changes), store, seed=1, **paths)
