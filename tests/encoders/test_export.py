import importlib.util
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors
import torch
import torchvision

from handssl.encoders import EncoderConfig, build_encoder, export_encoder
from handssl.encoders.export import export_onnx
from handssl.errors import ConfigError, DataError


def test_an_exported_encoder_comes_back_with_its_preprocessing_and_model_card(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig()).to(memory_format=torch.channels_last).eval()
    path = tmp_path / "deep" / "encoder.safetensors"
    export_encoder(encoder, path, size_px=96, card={"composition": "T+S"})
    again = build_encoder(EncoderConfig(weights=str(path))).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(encoder(images), again(images), atol=1e-5)
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = {name: json.loads(text) for name, text in file.metadata().items()}
    preprocessing = {"size_px": 96, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert metadata == {"preprocessing": preprocessing, "model_card": {"composition": "T+S"}}
    assert [p.name for p in path.parent.iterdir()] == ["encoder.safetensors"]


def test_a_pth_is_the_plain_state_dict(tmp_path: Path) -> None:
    encoder = build_encoder(EncoderConfig())
    export_encoder(encoder, tmp_path / "encoder.pth", size_px=96)
    model = torchvision.models.resnet18(weights=None)
    state = torch.load(tmp_path / "encoder.pth", weights_only=True)
    assert model.load_state_dict(state, strict=False).missing_keys == ["fc.weight", "fc.bias"]
    assert torch.equal(model.conv1.weight, encoder.backbone.state_dict()["conv1.weight"])


@pytest.mark.parametrize(
    "name", ["resnet10t", pytest.param("hrnet_w18_small", marks=pytest.mark.long)]
)
def test_onnx_runtime_gives_pytorchs_features_for_any_number_of_images(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name=name))
    path = tmp_path / "deep" / "encoder.onnx"
    difference = export_onnx(
        encoder, path, size_px=32, output="features", metadata={"model_card": {"seed": 3}}
    )
    assert difference < 1e-5
    assert [file.name for file in path.parent.iterdir()] == ["encoder.onnx"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["model_card"]) == {"seed": 3}
    for count in (1, 5):
        images = torch.rand(count, 3, 32, 32)
        (found,) = session.run(["features"], {"images": images.numpy()})
        with torch.no_grad():
            expected = encoder.eval()(images).numpy()
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_model_that_comes_out_differently_is_not_written(tmp_path: Path) -> None:
    class Fickle(torch.nn.Module):
        """Says one thing while it is exported and another afterwards."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((1, 2, 3)) + float(torch.compiler.is_exporting())

    with pytest.raises(DataError, match=r"must give PyTorch's results"):
        export_onnx(Fickle(), tmp_path / "fickle.onnx", size_px=16, output="brightness")
    assert not any(tmp_path.iterdir())


def test_without_the_packages_it_says_which_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"onnx, onnxscript, onnxruntime.*handssl\[onnx\]"):
        export_onnx(torch.nn.Identity(), tmp_path / "x.onnx", size_px=16, output="features")
