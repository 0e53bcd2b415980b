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


def test_accumulated_batches_average_their_gradients(store: Store, small_config: Small) -> None:
    """With one step in all, the loss is the mean of the two batches' losses at the start."""
    relative = objective_config("relative")
    joined = trained(small_config(objective=relative, accumulation=2, epochs=2), store, seed=5)
    single = trained(
        small_config(
            objective=relative,
            epochs=2,
            optimizer=OptimizerConfig(warmup_epochs=1.0, base_lr=1e-30),
        ),
        store,
        seed=5,
    )
    assert joined.history[0].losses[0] == pytest.approx(
        sum(single.history[0].losses) / 2, rel=1e-6
    )
    assert joined.encoder_steps == 4


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
    with pytest.raises(ConfigError, match=r"config\.epochs must be that of the checkpoint"):
        Pretraining(small_config(epochs=4), store, seed=1, resume=path)
    with pytest.raises(ConfigError, match="seed must be"):
        Pretraining(small_config(), store, seed=2, resume=path)
    with pytest.raises(ConfigError, match=r"data\.rows must be"):
        Pretraining(small_config(), store.take(16), seed=1, resume=path)


def test_a_batch_larger_than_the_store_is_refused(store: Store, small_config: Small) -> None:
    with pytest.raises(ConfigError, match="number of images, 20, but got batch_size=16"):
        Pretraining(small_config(batch_size=16, accumulation=2), store, seed=1)


def test_views_larger_than_the_stores_images_are_refused(
    store: Store, small_config: Small
) -> None:
    side = store.source_px
    with pytest.raises(ConfigError, match=f"images, {side}, but got size_px={side + 1}"):
        Pretraining(small_config(size_px=side + 1), store, seed=1)


def test_a_missing_device_is_refused(
    store: Store, small_config: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device=cuda without CUDA"):
        Pretraining(small_config(), store, seed=1, device="cuda")


def test_a_missing_checkpoint_is_refused(
    store: Store, small_config: Small, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="resume must be an existing checkpoint"):
        Pretraining(small_config(), store, seed=1, resume=tmp_path / "none.ckpt")
