import json
from pathlib import Path

import safetensors
import torch
import torchvision

from handssl.encoders import EncoderConfig, build_encoder, export_encoder


def test_an_exported_encoder_comes_back_with_its_preprocessing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig()).to(memory_format=torch.channels_last).eval()
    path = tmp_path / "deep" / "encoder.safetensors"
    export_encoder(encoder, path, size_px=96)
    again = build_encoder(EncoderConfig(weights=str(path))).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(encoder(images), again(images), atol=1e-5)
    with safetensors.safe_open(path, framework="pt") as file:
        preprocessing = json.loads(file.metadata()["preprocessing"])
    assert preprocessing == {
        "size_px": 96,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    assert [p.name for p in path.parent.iterdir()] == ["encoder.safetensors"]


def test_a_pth_is_the_plain_state_dict(tmp_path: Path) -> None:
    encoder = build_encoder(EncoderConfig())
    export_encoder(encoder, tmp_path / "encoder.pth", size_px=96)
    model = torchvision.models.resnet18(weights=None)
    state = torch.load(tmp_path / "encoder.pth", weights_only=True)
    assert model.load_state_dict(state, strict=False).missing_keys == ["fc.weight", "fc.bias"]
    assert torch.equal(model.conv1.weight, encoder.backbone.state_dict()["conv1.weight"])


def test_a_model_card_travels_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    export_encoder(build_encoder(EncoderConfig()), path, size_px=96, card={"composition": "T+S"})
    with safetensors.safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["model_card"]) == {"composition": "T+S"}
