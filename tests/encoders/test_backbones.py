from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from handssl.encoders import ENCODERS, EncoderConfig, MapEncoder, build_encoder, export_encoder
from handssl.encoders.backbones import HRNETS
from handssl.errors import ConfigError, DataError

NAME = "hrnet_w18_small"


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """A state dict of timm's whole network, towards its 1000 classes."""
    torch.manual_seed(2)
    return dict(timm.create_model(NAME).state_dict())


QUICK = (NAME, "hrnet_w18_small_v2", "hrnet_w18", "hrnet_w48")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in HRNETS],
)
def test_every_width_has_a_map_and_a_sane_vector(name: str) -> None:
    with torch.device("meta"):
        encoder = build_encoder(EncoderConfig(name=name))
        assert isinstance(encoder, MapEncoder)
        assert encoder.feature_map(torch.rand(2, 3, 64, 64)).shape == (
            2,
            encoder.map_channels,
            16,
            16,
        )
    channels = {NAME: 16, "hrnet_w18_small_v2": 18}.get(name) or int(name.removeprefix("hrnet_w"))
    assert encoder.map_channels == channels
    assert encoder.feature_dim == 64 * channels <= 3072


def test_the_map_is_the_finest_branch_of_timms_own_network(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(published, tmp_path / "published.pth")
    weights = str(tmp_path / "published.pth")
    encoder = build_encoder(EncoderConfig(name=NAME, weights=weights)).eval()
    model: Any = timm.create_model(NAME)
    model.load_state_dict(published)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        stem = model.eval()
        x = encoder.normalised(images)
        x = stem.act2(stem.bn2(stem.conv2(stem.act1(stem.bn1(stem.conv1(x))))))
        expected = stem.stages(x)[0]
        assert torch.allclose(encoder.feature_map(images), expected, atol=1e-5)
        cells = expected.unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
        assert torch.allclose(encoder(images), cells.flatten(1), atol=1e-5)


def test_the_vectors_length_does_not_depend_on_the_view() -> None:
    encoder = build_encoder(EncoderConfig(name=NAME)).eval()
    with torch.no_grad():
        lengths = {encoder(torch.rand(1, 3, size, size)).shape[1] for size in (32, 64, 96)}
    assert lengths == {encoder.feature_dim}


def test_an_exported_hrnet_loads_in_timm_and_comes_back(tmp_path: Path) -> None:
    encoder = build_encoder(EncoderConfig(name=NAME))
    export_encoder(encoder, tmp_path / "e.safetensors", size_px=64)
    state = safetensors.torch.load_file(tmp_path / "e.safetensors")
    model: Any = timm.create_model(NAME)
    report = model.load_state_dict(state, strict=False)
    assert not report.unexpected_keys
    unused = ENCODERS[NAME].unused
    assert all(unused.match(key) for key in report.missing_keys)
    again = build_encoder(EncoderConfig(name=NAME, weights=str(tmp_path / "e.safetensors")))
    for key, value in encoder.backbone.state_dict().items():
        assert torch.equal(again.backbone.state_dict()[key], value), key


def test_weights_of_another_width_are_refused(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(published, tmp_path / "published.pth")
    with pytest.raises(
        DataError, match=r"lacks layer1\.1.*layer1\.0\.bn1\.bias \(32,\) for \(64,\)"
    ):
        build_encoder(
            EncoderConfig(name="hrnet_w18_small_v2", weights=str(tmp_path / "published.pth"))
        )


def test_an_encoder_that_pools_has_no_map() -> None:
    with pytest.raises(ConfigError, match="such as hrnet_w18_small, but got one that pools"):
        build_encoder(EncoderConfig(name="resnet10t")).feature_map(torch.rand(1, 3, 32, 32))
