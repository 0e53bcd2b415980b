"""HRNet from pretraining to 3D poses: flattened before, in place after."""

from pathlib import Path

import numpy as np
import pytest
import torch

from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import (
    FinetuneConfig,
    Finetuning,
    PoseModel,
    ProbeConfig,
    evaluate_model,
    linear_probe,
)
from handssl.objectives import OBJECTIVES
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining
from tests.small import small_objective

HRNET = EncoderConfig(name="hrnet_w18_small")
MIXED = "translate:relative+rotate:relative+color_jitter:contrastive"
FAST = OptimizerConfig(name="adam", base_lr=2e-3, weight_decay=0.0, warmup_epochs=0.0)


def pretrain_config(objective: str) -> PretrainConfig:
    return PretrainConfig(
        encoder=HRNET,
        objective=small_objective(objective, hidden_dim=64, projection_dim=128),
        composition=MIXED if objective == "mixed" else "T+Ro+CJ",
        size_px=32,
        epochs=1,
        batch_size=8,
        accumulation=1,
        optimizer=OptimizerConfig(warmup_epochs=0.0),
    )


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_pretrains_hrnet(hands: Store, objective: str) -> None:
    run = Pretraining(pretrain_config(objective), hands.select(np.arange(8)), seed=0)
    before = {name: value.clone() for name, value in run.encoder.named_parameters()}
    assert np.isfinite(next(run).loss)
    for name, value in run.encoder.named_parameters():
        assert not torch.equal(value, before[name]), name


def test_contrastive_weights_go_strictly_into_the_heat_map_model(
    hands: Store, tmp_path: Path
) -> None:
    train, val = hands.split("train"), hands.split("val")
    pretrained = tmp_path / "pretrained.pt"
    first = Pretraining(pretrain_config("contrastive"), train, seed=0, checkpoint=pretrained)
    next(first)
    weights = EncoderConfig(name=HRNET.name, weights=str(pretrained))
    config = FinetuneConfig(
        encoder=weights, size_px=32, epochs=1, batch_size=16, optimizer=FAST, mode="frozen"
    )
    run = Finetuning(config, train, seed=0, checkpoint=tmp_path / "pose.pt")
    next(run)
    for name, value in first.encoder.named_parameters():
        assert torch.equal(run.model.encoder.get_parameter(name), value), name
    again = PoseModel.load(tmp_path / "pose.pt")
    assert again.head_name == "heatmap"
    # Kernels sum in another order where the weights lie in memory in another one.
    name = "pa_mpjpe_cm"
    assert evaluate_model(again, val).metrics[name] == pytest.approx(
        run.evaluate(val).metrics[name], rel=1e-4
    )


def test_the_probe_reads_the_flattened_map(hands: Store) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(HRNET)
    result = linear_probe(
        encoder, hands.split("train"), hands.split("val"), ProbeConfig(size_px=32)
    )
    assert result.layer.weight.shape == (1024, 63)
    assert np.isfinite(result.metrics["mpjpe_cm"])
