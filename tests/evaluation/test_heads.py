import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from handssl.evaluation.heads import POSE_HEADS, HeatmapHead, soft_argmax
from handssl.evaluation.pose_model import PoseModel


def slow_soft_argmax(scores: torch.Tensor, depths: torch.Tensor) -> torch.Tensor:
    """The expectation over cells, one cell at a time."""
    batch, joints, rows, columns = scores.shape
    result = torch.zeros(batch, joints, 3, dtype=torch.float64)
    for image, joint in itertools.product(range(batch), range(joints)):
        weights = {
            (r, c): math.exp(float(scores[image, joint, r, c]))
            for r, c in itertools.product(range(rows), range(columns))
        }
        total = sum(weights.values())
        for (r, c), weight in weights.items():
            here = [(c + 0.5) / columns, (r + 0.5) / rows, float(depths[image, joint, r, c])]
            result[image, joint] += weight / total * torch.tensor(here)
    return result


def test_soft_argmax_equals_the_slow_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(2, 3, 4, 6, generator=generator)
    depths = torch.randn(2, 3, 4, 6, generator=generator)
    expected = slow_soft_argmax(scores, depths)
    assert soft_argmax(scores, depths).double() == pytest.approx(expected, abs=1e-6)


def test_a_gaussian_heat_map_is_found_at_its_mean() -> None:
    """ln of a normal density is −(x − m)² / 2σ²; far from the edges its mean is m to the cell."""
    cells = torch.arange(64) + 0.5
    u, v, spread = 30.3, 25.8, 2.5
    scores = -((cells - u).square()[None, :] + (cells - v).square()[:, None]) / (2 * spread**2)
    found = soft_argmax(scores[None, None], torch.full((1, 1, 64, 64), 0.7))[0, 0]
    assert found.tolist() == pytest.approx([u / 64, v / 64, 0.7], abs=1e-6)


@given(row=st.integers(0, 7), column=st.integers(0, 7), size_px=st.sampled_from([32, 64, 128]))
def test_one_hot_maps_are_the_centres_of_their_cells_in_view_pixels(
    row: int, column: int, size_px: int
) -> None:
    """Cell k of 8 covers pixels k·s to (k + 1)·s − 1 of a view whose first centre is at 0."""
    head = HeatmapHead(channels=2, size_px=size_px)
    with torch.no_grad():
        head.maps.weight.zero_()
        head.maps.weight[:21, 0] = 1e4
        head.maps.weight[21:, 1] = 1.0
        bias = head.maps.bias
        assert bias is not None
        bias.zero_()
    features = torch.zeros(1, 2, 8, 8)
    features[0, 0, row, column] = 1
    features[0, 1] = torch.arange(64.0).view(8, 8)
    pose = head(features).view(21, 3)
    side = size_px // 8
    middle = [sum(range(k * side, (k + 1) * side)) / side for k in (column, row)]
    assert (pose[:, :2] * size_px)[4].tolist() == pytest.approx(middle, abs=1e-4)
    assert (pose[:, 2] == 8 * row + column).all()


def test_a_new_head_says_the_middle_and_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    model = PoseModel(
        build_encoder(EncoderConfig(name="hrnet_w18_small")),
        name="hrnet_w18_small",
        size_px=64,
        bone_m=0.09,
    )
    assert model.head_name == "heatmap"
    pose = model(torch.rand(2, 3, 64, 64)).view(2, 21, 3)
    assert (pose * 64)[..., :2].flatten().tolist() == pytest.approx([31.5] * 84, abs=1.0)
    assert pose[..., 2].abs().max() < 0.2
    torch.autograd.backward(pose.square().sum())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_every_head_fits_where_it_belongs() -> None:
    pooled = build_encoder(EncoderConfig(name="resnet10t"))
    mapped = build_encoder(EncoderConfig(name="hrnet_w18_small"))

    def model(encoder: object, head: str) -> PoseModel:
        return PoseModel(encoder, name="any", size_px=32, bone_m=0.09, head=head)  # type: ignore[arg-type]

    for encoder, head, own in (
        (pooled, "auto", "linear"),
        (mapped, "auto", "heatmap"),
        (mapped, "linear", "linear"),
    ):
        built = model(encoder, head)
        assert built.head_name == own
        assert built.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 63)
    with pytest.raises(ConfigError, match="such as hrnet_w18_small"):
        model(pooled, "heatmap")
    with pytest.raises(ConfigError, match="must be auto, linear, heatmap, but got head='mesh'"):
        model(pooled, "mesh")
    assert list(POSE_HEADS) == ["linear", "heatmap"]
