"""`probe`, `predict` and `evaluate` as a person calls them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handssl.cli import main
from handssl.data import open_or_build_store
from handssl.encoders import EncoderConfig, build_encoder, export_encoder
from handssl.evaluation import PoseModel
from handssl.evaluation.official import read_submission
from handssl.skeleton import JOINT_NAMES
from handssl.synthetic import generate_freihand


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw folder with evaluation images, its store, and an exported encoder."""
    root = tmp_path_factory.mktemp("hands")
    generate_freihand(root / "raw", poses=30, versions=1, evaluation=3, workers=1)
    open_or_build_store(root / "raw", root / "store", source_px=64, processes=1)
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    export_encoder(encoder, root / "encoder.safetensors", size_px=32)
    return root


@pytest.fixture(scope="module")
def pose_model(hands: Path) -> Path:
    out = hands / "pose.pt"
    assert main([*probe(hands), "--out", str(out)]) == 0
    return out


def probe(hands: Path) -> list[str]:
    arguments = ["probe", "--encoder", str(hands / "encoder.safetensors"), "--name", "resnet10t"]
    return [*arguments, "--store", str(hands / "store")]


def test_a_probe_prints_every_metric(hands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*probe(hands), "--label-fraction", "0.5", "--solver", "robust"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm"))


def test_views_are_as_large_as_those_of_pretraining(hands: Path, pose_model: Path) -> None:
    assert PoseModel.load(pose_model).size_px == 32


def test_fine_tuning_prints_every_metric_and_predicts(
    hands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "pose.pt"
    arguments = ["finetune", *probe(hands)[1:], "--checkpoint", str(checkpoint), "--refine-root"]
    arguments += ["--epochs", "2", "--batch-size", "8", "--label-fraction", "0.5"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "epoch 2 of 2" in printed
    assert "auc_50cm" in printed
    model = PoseModel.load(checkpoint)
    assert (model.size_px, model.root_refiner is not None) == (32, True)
    assert main(arguments) == 0
    assert "epoch" not in capsys.readouterr().out, "nothing is left to do"


def test_a_pose_model_is_measured_on_a_store(
    hands: Path, pose_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(hands / "store")
    assert main(["evaluate", str(pose_model), "--store", store]) == 0
    printed = capsys.readouterr().out
    assert "val: 3 images" in printed
    assert "InterHand2.6M's mpjpe_mm: " in printed
    assert "left" not in printed
    assert main(["evaluate", str(pose_model), "--store", store, "--split", "train"]) == 0
    assert "train: 27 images" in capsys.readouterr().out


def test_a_prediction_is_a_picture_and_joints(
    hands: Path, pose_model: Path, tmp_path: Path
) -> None:
    source = hands / "raw" / "evaluation" / "rgb" / "00000001.jpg"
    arguments = ["predict", str(source), "--checkpoint", str(pose_model), "--out", str(tmp_path)]
    assert main(arguments) == 0
    with Image.open(tmp_path / "00000001.png") as drawn, Image.open(source) as image:
        assert drawn.size == image.size
        assert np.abs(np.asarray(drawn, dtype=int) - np.asarray(image, dtype=int)).max() > 50
    content = json.loads((tmp_path / "00000001.json").read_text())
    assert [joint["name"] for joint in content["joints"]] == list(JOINT_NAMES)
    joints_m = np.array([joint["m"] for joint in content["joints"]])
    projected = joints_m @ np.array(content["intrinsics"]).T
    pixels = np.array([joint["px"] for joint in content["joints"]])
    assert projected[:, :2] / projected[:, 2:] == pytest.approx(pixels, abs=0.2)


def test_the_contest_from_images_to_scores(
    hands: Path, pose_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, out = hands / "raw", tmp_path / "pred.zip"
    images, cameras = str(raw / "evaluation" / "rgb"), str(raw / "evaluation_K.json")
    arguments = ["predict", images, "--checkpoint", str(pose_model), "--intrinsics", cameras]
    arguments += ["--scales", str(raw / "evaluation_scale.json")]
    assert main([*arguments, "--freihand-zip", str(out)]) == 0
    labels = str(raw / "evaluation_xyz.json")
    assert "3 poses; the contest has 3,960" in capsys.readouterr().out
    scale = json.loads((raw / "evaluation_scale.json").read_text())
    lengths = np.linalg.norm(np.diff(read_submission(out)[:, 9:11], axis=1), axis=-1)[:, 0]
    assert lengths.tolist() == pytest.approx(scale, rel=1e-4)
    assert main(["evaluate", str(out), "--labels", labels]) == 0
    lines = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert list(lines) == [
        "xyz_mean3d",
        "xyz_auc3d",
        "xyz_procrustes_al_mean3d",
        "xyz_procrustes_al_auc3d",
        "xyz_scale_trans_al_mean3d",
        "xyz_scale_trans_al_auc3d",
    ]
    assert 0 < float(lines["xyz_procrustes_al_mean3d"]) < 10


def test_refusals_are_one_line_each(
    hands: Path, pose_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(hands / "raw" / "evaluation" / "rgb" / "00000000.jpg")
    singular, two = tmp_path / "K.json", tmp_path / "two.json"
    singular.write_text(json.dumps(np.zeros((3, 3)).tolist()))
    two.write_text(json.dumps([np.eye(3).tolist()] * 2))
    (tmp_path / "text.jpg").write_text("no picture")
    torch.save({"schema": 1, "encoder": {}}, tmp_path / "encoder.pt")
    (tmp_path / "short.pt").write_bytes(pose_model.read_bytes()[:-2000])
    (tmp_path / "empty").mkdir()
    store = str(hands / "store")
    tune = ["finetune", *probe(hands)[1:], "--checkpoint", str(tmp_path / "pose.pt")]
    good = ["predict", image, "--checkpoint", str(pose_model), "--out", str(tmp_path)]
    cases = {
        "singular": [*good, "--intrinsics", str(singular)],
        "one for each of the 1 images": [*good, "--intrinsics", str(two)],
        "--bone-m must be": [*good, "--bone-m", "9"],
        "got no --intrinsics": [*good, "--freihand-zip", str(tmp_path / "pred.zip")],
        "00000000 occurs 2 times": ["predict", image, *good[1:]],
        "has no .jpg": ["predict", str(tmp_path / "empty"), *good[2:]],
        "for each of the 1 images": [*good, "--scales", str(two)],
        "must be a picture": ["predict", str(tmp_path / "text.jpg"), *good[2:]],
        "an encoder alone": [*good[:3], str(tmp_path / "encoder.pt")],
        "choose the encoder.name": [*probe(hands), "--name", "resnet18"],
        "must be whole": [*good[:3], str(tmp_path / "short.pt")],
        "split='test'": ["evaluate", str(pose_model), "--store", store, "--split", "test"],
        "evaluated with --labels": ["evaluate", str(tmp_path / "p.zip"), "--store", store],
        "must be random, imagenet or an existing": [*tune, "--encoder", "none.pth"],
    }
    for message, arguments in cases.items():
        assert main(arguments) == 2, message
        printed = capsys.readouterr().err
        assert message in printed
        assert len(printed.splitlines()) == 1
