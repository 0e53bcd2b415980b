import json
from pathlib import Path
from urllib.error import URLError

import pytest
import safetensors.torch
import timm
import torch
import torchvision

from handssl.encoders import ENCODERS, EncoderConfig, build_encoder
from handssl.encoders.weights import load_backbone, weights_file
from handssl.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """A torchvision state dict with its classifier, as found in files."""
    torch.manual_seed(3)
    return dict(torchvision.models.resnet18(weights=None).state_dict())


@pytest.mark.parametrize(
    ("name", "feature_dim"),
    [
        *(("resnet18", 512), ("resnet34", 512), ("resnet50", 2048), ("resnet152", 2048)),
        *(("resnet10t", 512), ("timm:mobilenetv3_small_050", 1024)),
    ],
)
def test_every_encoder_gives_one_feature_vector_an_image(name: str, feature_dim: int) -> None:
    with torch.device("meta"):
        encoder = build_encoder(EncoderConfig(name=name)).eval()
        features = encoder(torch.rand(2, 3, 32, 32))
    assert features.shape == (2, feature_dim)
    assert encoder.feature_dim == feature_dim


def test_features_equal_torchvisions_own_before_the_classifier(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(released, path)
    encoder = build_encoder(EncoderConfig(weights=str(path))).eval()
    model = torchvision.models.resnet18(weights=None)
    model.load_state_dict(released)
    model.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        assert torch.allclose(encoder(images), model.eval()((images - mean) / std), atol=1e-6)


FORMS = ("plain", "nested", "prefixed", "checkpoint", "safetensors", "fine-tuned by PeCLR")


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_in_every_usual_form(
    released: dict[str, torch.Tensor], tmp_path: Path, form: str
) -> None:
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pt")
    headless = {k: v for k, v in released.items() if not k.startswith("fc.")}
    # PeCLR's has a pose layer of 64 outputs, and a network for the root beside the encoder.
    posed = {**headless, "fc.weight": torch.zeros(64, 512), "fc.bias": torch.zeros(64)}
    peclr = {f"backend_model.{k}": v for k, v in posed.items()}
    content = {
        "plain": released,
        "nested": {"state_dict": released, "epoch": 3},
        "prefixed": {"model": {f"module.encoder.{k}": v for k, v in released.items()}},
        "checkpoint": {"schema": 1, "encoder": headless, "history": "[]"},
        FORMS[-1]: {"state_dict": {**peclr, "zroot_ref.zroot_ref.0.weight": torch.zeros(8, 64)}},
    }
    if form == "safetensors":
        safetensors.torch.save_file({k: v.clone() for k, v in released.items()}, path)
    else:
        torch.save(content[form], path)
    encoder = build_encoder(EncoderConfig(weights=str(path)))
    for name, value in encoder.backbone.state_dict().items():
        assert torch.equal(value, released[name]), name


@pytest.mark.parametrize("prefix", ["encoder.features.", "features.", ""])
def test_numbered_children_get_their_names(
    released: dict[str, torch.Tensor], tmp_path: Path, prefix: str
) -> None:
    """PeCLR's checkpoints number a ResNet's children and hold its projection head beside them."""
    model = torchvision.models.resnet18(weights=None)
    model.load_state_dict(released)
    numbered = torch.nn.Sequential(*list(model.children())[:-1]).state_dict()
    state = {f"{prefix}{key}": value for key, value in numbered.items()}
    state["projection_head.0.weight"] = torch.zeros(8, 512)
    torch.save({"state_dict": state, "epoch": 99}, tmp_path / "peclr.pth")
    encoder = build_encoder(EncoderConfig(weights=str(tmp_path / "peclr.pth")))
    for name, value in encoder.backbone.state_dict().items():
        assert torch.equal(value, released[name]), name
    with pytest.raises(DataError, match=r"layer1\.2\.bn1\.bias"):
        build_encoder(EncoderConfig(name="resnet34", weights=str(tmp_path / "peclr.pth")))


@pytest.mark.parametrize("form", ["checkpoint", "safetensors"])
def test_weights_for_another_normalisation_are_refused(
    released: dict[str, torch.Tensor], tmp_path: Path, form: str
) -> None:
    stated = {"size_px": 64, "mean": [0.5, 0.5, 0.5], "std": [1.0, 1.0, 1.0]}
    path = tmp_path / f"w.{'pt' if form == 'checkpoint' else 'safetensors'}"

    def write(preprocessing: object) -> None:
        if form == "checkpoint":
            torch.save({"encoder": released, "preprocessing": preprocessing}, path)
        else:
            metadata = {"preprocessing": json.dumps(preprocessing)}
            tensors = {name: value.clone() for name, value in released.items()}
            safetensors.torch.save_file(tensors, path, metadata=metadata)

    write(stated)
    with pytest.raises(ConfigError, match=r"has mean=\[0\.5, 0\.5, 0\.5\]"):
        build_encoder(EncoderConfig(weights=str(path)))
    write({"size_px": 64})
    with pytest.raises(DataError, match="must state size_px, mean and std"):
        build_encoder(EncoderConfig(weights=str(path)))


def test_weights_of_another_architecture_are_refused_with_the_keys(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    torch.save(released, path)
    with pytest.raises(DataError, match=r"lacks layer1\.2\.bn1\.bias.*choose the encoder\.name"):
        build_encoder(EncoderConfig(name="resnet34", weights=str(path)))
    module = ENCODERS["resnet18"].build()[0]
    wider = {**released, "conv1.weight": torch.zeros(128, 3, 7, 7)}
    with pytest.raises(DataError, match=r"conv1\.weight \(128, 3, 7, 7\) for \(64, 3, 7, 7\)"):
        load_backbone(module, wider, source="w.pt")


def test_timm_backbones_are_timms_own() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="timm:resnet10t"))
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False, num_classes=0)
    for name, value in model.state_dict().items():
        assert torch.equal(encoder.backbone.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"name": "resnet19"}, "must be one of resnet18, .*timm:<name>, but got name='resnet19'"),
        ({"name": "timm:resnet10x"}, "similar names: .*resnet10t"),
        ({"weights": ""}, "weights must be random, imagenet or a path"),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EncoderConfig(**setting)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be random, imagenet or an existing file, but got weights=.*w.pt"),
        (b"PK cut short", "must be a whole file of weights, but .*w.pt"),
        ({"epoch": 3}, "w.pt holds none"),
        # Checkpoints of training frameworks hold settings as objects, which could run code.
        ({"settings": Path("settings")}, r"tensors alone.*not run here.*\['state_dict'\]"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_that_hold_no_readable_weights_are_refused(
    tmp_path: Path, content: object, message: str, suffix: str
) -> None:
    path = tmp_path / f"w{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path = tmp_path / "w.pt"
        torch.save(content, path)
    with pytest.raises(DataError, match=message.replace("w.pt", path.name)):
        weights_file(path)


def test_imagenet_weights_come_through_torchvision_or_are_refused_with_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, released: dict[str, torch.Tensor]
) -> None:
    asked = []

    def fetch(url: str, *_: object, **__: object) -> dict[str, torch.Tensor]:
        asked.append(url)
        if len(asked) > 1:
            raise URLError("no network")
        return released

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fetch)
    encoder = build_encoder(EncoderConfig(weights="imagenet"))
    assert "resnet18" in asked[0]
    assert torch.equal(encoder.backbone.state_dict()["conv1.weight"], released["conv1.weight"])
    with pytest.raises(ConfigError, match=r"'imagenet'.*no network.*encoder\.weights=random"):
        build_encoder(EncoderConfig(weights="imagenet"))
