import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision

from handssl.cli import main
from handssl.data import open_or_build_store
from handssl.encoders import EncoderConfig
from handssl.synthetic import generate_freihand
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining


def study_exports(
    encoder: Path, config: PretrainConfig, card: dict[str, Any], tmp_path: Path
) -> None:
    """A study leaves an encoder and its record in a trial's folder."""
    trial = tmp_path / "trial"
    trial.mkdir()
    shutil.copy(encoder, trial / "encoder.safetensors")
    record = {
        "hash": "f00d",
        "config": dataclasses.asdict(config),
        "data": {"fingerprint": "abc"},
        "seed": 4,
        "epochs": 1,
        "metrics": {"median_pje_cm": 4.5},
    }
    (trial / "record.json").write_text(json.dumps(record))
    out = tmp_path / "again.pth"
    assert main(["export", str(trial / "encoder.safetensors"), "--out", str(out)]) == 0
    again = json.loads(out.with_suffix(".json").read_text())
    assert again["record"]["hash"] == "f00d"
    assert again["metrics"] == {"median_pje_cm": 4.5}
    assert again["pretraining"] == card["pretraining"]
    state = torch.load(out, weights_only=True)
    assert torch.equal(state["conv1.weight"], safetensors.torch.load_file(encoder)["conv1.weight"])


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
    run = Pretraining(config, store, seed=3, checkpoint=tmp_path / "run.pt")
    next(run)
    out = tmp_path / "out" / "encoder.safetensors"
    assert main(["export", str(tmp_path / "run.pt"), "--out", str(out)]) == 0
    model = torchvision.models.resnet18(weights=None)
    report = model.load_state_dict(safetensors.torch.load_file(out), strict=False)
    assert sorted(report.missing_keys) == ["fc.bias", "fc.weight"]
    assert not report.unexpected_keys
    assert torch.equal(model.conv1.weight, run.encoder.backbone.state_dict()["conv1.weight"])
    card = json.loads(out.with_suffix(".json").read_text())
    with safetensors.safe_open(out, framework="pt") as file:
        assert json.loads(file.metadata()["model_card"]) == card
    assert card["data"]["fingerprint"] == store.fingerprint
    assert card["pretraining"]["objective"]["name"] == config.objective.name
    assert card["preprocessing"]["size_px"] == 32
    assert (card["seed"], card["finished_epochs"], card["feature_dim"]) == (3, 1, 512)
    study_exports(out, config, card, tmp_path)
    capsys.readouterr()
    torch.save({"schema": 1, "encoder": {}}, tmp_path / "other.pt")
    for arguments, message in (
        ([str(tmp_path / "other.pt"), "--out", str(out)], "must be of a pretraining run"),
        ([str(tmp_path / "none.pt"), "--out", str(out)], "must be an existing file"),
        ([str(out), "--out", str(out)], "must be another file"),
        ([str(out), "--out", str(tmp_path / "e.pth")], "--record must be the record.json"),
        ([str(tmp_path / "run.pt"), "--out", "encoder.bin"], "must end in .safetensors"),
    ):
        assert main(["export", *arguments]) == 2
        assert message in capsys.readouterr().err
