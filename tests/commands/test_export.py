import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision

from handssl.cli import main
from handssl.data import open_or_build_store
from handssl.encoders import EncoderConfig
from handssl.synthetic import generate_freihand
from handssl.training import OptimizerConfig, PretrainConfig, pretraining


def test_an_exported_run_loads_in_torchvision_and_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate_freihand(tmp_path / "raw", poses=8, versions=1, workers=1)
    store = open_or_build_store(tmp_path / "raw", tmp_path / "s", source_px=64, processes=1)
    config = PretrainConfig(
        encoder=EncoderConfig(name="resnet18"),
        size_px=32,
        epochs=1,
        batch_size=4,
        accumulation=1,
        optimizer=OptimizerConfig(warmup_epochs=0.0),
    )
    run = pretraining(config, store, seed=3, checkpoint=tmp_path / "run.pt")
    next(run)
    out = tmp_path / "encoder.safetensors"
    assert main(["export", str(tmp_path / "run.pt"), "--out", str(out)]) == 0
    model = torchvision.models.resnet18(weights=None)
    report = model.load_state_dict(safetensors.torch.load_file(out), strict=False)
    assert sorted(report.missing_keys) == ["fc.bias", "fc.weight"]
    assert not report.unexpected_keys
    assert torch.equal(model.conv1.weight, run.encoder.backbone.state_dict()["conv1.weight"])
    card = json.loads((tmp_path / "encoder.json").read_text())
    assert card["data"]["fingerprint"] == store.fingerprint
    assert card["pretraining"]["objective"]["name"] == config.objective.name
    assert card["preprocessing"]["size_px"] == 32
    assert (card["seed"], card["finished_epochs"], card["feature_dim"]) == (3, 1, 512)
    capsys.readouterr()
    torch.save({"schema": 1, "encoder": {}}, tmp_path / "other.pt")
    for arguments, message in (
        ([str(tmp_path / "other.pt"), "--out", str(out)], "must be of a pretraining run"),
        ([str(tmp_path / "run.pt"), "--out", "encoder.pt"], "must end in .safetensors"),
    ):
        assert main(["export", *arguments]) == 2
        assert message in capsys.readouterr().err
