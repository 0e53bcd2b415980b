import numpy as np
import pytest
import torch
from torch import nn

from handssl.augment import AUGMENTATIONS
from handssl.data import Store
from handssl.encoders import Encoder, EncoderConfig, build_encoder
from handssl.evaluation import DiagnosticsConfig, diagnose, diagnosed
from handssl.evaluation.diagnostics import invariance, rank_me, relative_r2


class _Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(images), 8)


def test_every_diagnostic_is_reported_and_reproducible(hands: Store) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t")).train()
    config = DiagnosticsConfig(images=48, size_px=32)
    results = diagnose(encoder, hands, config, seed=1)
    names = ("translate", "scale", "color_jitter", "rotate")
    expected = {f"{kind}/{name}" for kind in ("invariance", "equivariance") for name in names}
    assert results.keys() == expected | {"rankme"} == set(diagnosed(config))
    assert all(-1 <= results[f"invariance/{name}"] <= 1 for name in names)
    assert 1 <= results["rankme"] <= 48
    assert diagnose(encoder, hands, config, seed=1) == results
    assert encoder.training


def test_any_augmentation_can_be_diagnosed(hands: Store) -> None:
    config = DiagnosticsConfig(augmentations=tuple(AUGMENTATIONS), images=16, size_px=32)
    results = diagnose(build_encoder(EncoderConfig(name="resnet10t")), hands, config)
    regressable = ("translate", "scale", "color_jitter", "rotate")
    assert results.keys() == {
        "rankme",
        *(f"invariance/{name}" for name in AUGMENTATIONS),
        *(f"equivariance/{name}" for name in regressable),
    }
    assert all(np.isfinite(value) for value in results.values())


def test_a_handful_of_images_has_no_equivariance_rather_than_none_to_speak_of(
    hands: Store,
) -> None:
    config = DiagnosticsConfig(augmentations=("rotate",), images=16, size_px=32)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    assert "equivariance/rotate" in diagnose(encoder, hands.select(np.arange(6)), config)
    few = diagnose(encoder, hands.select(np.arange(5)), config)
    assert few.keys() == {"invariance/rotate", "rankme"} == set(diagnosed(config, images=5))
    assert "equivariance/rotate" in diagnosed(config, images=6)


def test_collapsed_features_are_seen(hands: Store) -> None:
    config = DiagnosticsConfig(augmentations=("rotate",), images=48, size_px=32)
    results = diagnose(Encoder(_Constant(), 8), hands, config)
    assert results["rankme"] == pytest.approx(1)
    assert results["equivariance/rotate"] < 0.05
    assert results["invariance/rotate"] == 0


def test_invariance_by_hand() -> None:
    mean = torch.zeros(2)
    a, b = torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[2.0, 0], [3, 0]])
    assert invariance(a, b, mean) == pytest.approx(0.5)
    assert invariance(a + 5, b + 5, mean + 5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("features", "rank"),
    [(torch.eye(7), 7), (torch.ones(5, 3), 1), (torch.zeros(5, 3), 1)],
    ids=["equal", "collapsed", "zero"],
)
def test_rank_counts_equal_directions(features: torch.Tensor, rank: int) -> None:
    assert rank_me(features) == pytest.approx(rank)


def test_r2_is_one_for_a_linear_law_and_about_zero_for_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 300, 5, generator=generator)
    law = (b - a)[:, :2]
    assert relative_r2(a, b, law) > 0.999
    noise = torch.randn(300, 2, generator=generator)
    assert abs(relative_r2(a, b, noise)) < 0.1
