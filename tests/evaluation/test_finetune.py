import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder, export_encoder
from handssl.errors import ConfigError, DataError
from handssl.evaluation.finetune import Finetuning, evaluate_model, layer_groups
from handssl.evaluation.finetune_config import FinetuneConfig
from handssl.evaluation.pose_model import PoseModel
from handssl.training import OptimizerConfig

TINY = EncoderConfig(name="resnet10t")
HRNET = EncoderConfig(name="hrnet_w18_small")
FAST = OptimizerConfig(name="adam", base_lr=2e-3, weight_decay=0.0, warmup_epochs=0.0)


def config(**changes: object) -> FinetuneConfig:
    base = FinetuneConfig(encoder=TINY, size_px=32, epochs=2, batch_size=16)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{}, {"refine_root": True}, {"encoder": HRNET, "layer_decay": 0.5}],
    ids=["linear", "refined", "heatmap"],
)
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    hands: Store, tmp_path: Path, changes: dict[str, object]
) -> None:
    train, setting = hands.select(np.arange(12)), config(batch_size=4, **changes)
    whole = Finetuning(setting, train, seed=1)
    losses = [report.loss for report in whole]
    path = tmp_path / "run.pt"
    next(Finetuning(setting, train, seed=1, checkpoint=path))
    resumed = Finetuning(setting, train, seed=1, resume=path)
    assert resumed.history[0].loss == losses[0]
    assert [report.loss for report in resumed] == losses[1:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_another_runs_checkpoint_is_refused(hands: Store, tmp_path: Path) -> None:
    train, path = hands.split("train"), tmp_path / "run.pt"
    next(Finetuning(config(), train, seed=1, checkpoint=path))
    with pytest.raises(ConfigError, match=r"seed must be .* 1, but got seed=2"):
        Finetuning(config(), train, seed=2, resume=path)
    with pytest.raises(ConfigError, match=r"layer_decay must be .* 1.0, but got layer_decay=0.5"):
        Finetuning(config(layer_decay=0.5), train, seed=1, resume=path)


@pytest.mark.parametrize("mode", ["frozen", "unfrozen", "supervised"])
def test_only_a_frozen_encoder_stays_as_it_was(hands: Store, mode: str) -> None:
    run = Finetuning(config(mode=mode, epochs=1), hands.split("train"), seed=0)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    next(run)
    moved = {n for n, v in run.model.state_dict().items() if not torch.equal(v, before[n])}
    assert {"head.weight", "head.bias"} <= moved
    assert (moved == {"head.weight", "head.bias"}) == (mode == "frozen")


@pytest.mark.parametrize(
    ("images", "changes"),
    [
        (16, {"epochs": 25}),
        (4, {"epochs": 30, "encoder": HRNET, "size_px": 64, "optimizer": FAST}),
    ],
    ids=["linear", "heatmap"],
)
def test_training_images_are_learned(
    hands: Store, images: int, changes: dict[str, object]
) -> None:
    some = hands.select(np.arange(images))
    run = Finetuning(config(batch_size=images, composition="", **changes), some, seed=0)
    before = run.evaluate(some).metrics["pa_mpjpe_cm"]
    losses = [report.loss for report in run]
    assert losses[-1] < 0.5 * losses[0]
    assert run.evaluate(some).metrics["pa_mpjpe_cm"] < before


def test_stages_run_from_the_image_to_the_layer_and_each_learns_slower() -> None:
    encoder = build_encoder(EncoderConfig(name="resnet18"))
    model = PoseModel(encoder, name="resnet18", size_px=32, bone_m=0.09)
    found = layer_groups(model)
    assert len(found) == 6, "the stem with its norm, four blocks, the layer"
    by_name = dict(encoder.backbone.named_parameters())
    assert found[0][0] is by_name["conv1.weight"]
    assert found[0][-1] is by_name["bn1.bias"]
    assert {id(p) for stage in found for p in stage} == {id(p) for p in model.parameters()}


def test_layer_decay_scales_learning_rates_by_depth(hands: Store) -> None:
    setting = config(layer_decay=0.5, encoder=EncoderConfig(name="resnet18"))
    run = Finetuning(setting, hands.split("train"), seed=0)
    groups = run._optimizer.param_groups
    assert {group["lr_scale"] for group in groups} == {0.5**k for k in range(6)}
    assert sum(len(group["params"]) for group in groups) == len(list(run.model.parameters()))


@pytest.mark.parametrize("encoder", [TINY, HRNET], ids=["resnet10t", "hrnet"])
def test_every_parameter_is_in_one_layer_group(encoder: EncoderConfig) -> None:
    model = PoseModel(
        build_encoder(encoder), name=encoder.name, size_px=32, bone_m=0.09, refine_root=True
    )
    grouped = [parameter for group in layer_groups(model) for parameter in group]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(model.parameters()))


def test_pretrained_weights_are_where_it_starts(hands: Store, tmp_path: Path) -> None:
    torch.manual_seed(5)
    encoder = build_encoder(TINY)
    export_encoder(encoder, tmp_path / "e.safetensors", size_px=32)
    weights = EncoderConfig(name="resnet10t", weights=str(tmp_path / "e.safetensors"))
    run = Finetuning(config(mode="frozen", encoder=weights), hands.split("train"), seed=0)
    for name, value in encoder.backbone.state_dict().items():
        assert torch.equal(run.model.encoder.backbone.state_dict()[name], value), name


def test_few_labels_train_on_few_images(hands: Store) -> None:
    train = hands.split("train")
    run = Finetuning(config(label_fraction=0.1, batch_size=2), train, seed=0)
    assert run.total_steps < Finetuning(config(batch_size=2), train, seed=0).total_steps / 5


@pytest.mark.parametrize("refine_root", [False, True])
def test_a_saved_model_comes_back(hands: Store, tmp_path: Path, refine_root: bool) -> None:
    path, setting = tmp_path / "run.pt", config(epochs=1, refine_root=refine_root)
    run = Finetuning(setting, hands.split("train"), seed=0, checkpoint=path)
    next(run)
    again = PoseModel.load(path)
    val = hands.split("val")
    # Sums of floats may be taken in another order where the weights lie elsewhere in memory.
    expected = pytest.approx(run.evaluate(val).metrics, rel=1e-6 if refine_root else 1e-9)
    assert run.model.training
    assert evaluate_model(again, val).metrics == expected
    assert (again.size_px, again.name) == (32, "resnet10t")
    assert again.bone_m == run.model.bone_m
    assert (again.root_refiner is not None) == refine_root


def test_files_that_are_no_pose_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be an existing file"):
        PoseModel.load(tmp_path / "none.pt")
    path = tmp_path / "model.pt"
    encoder = build_encoder(TINY)
    model = PoseModel(encoder, name="resnet10t", size_px=32, bone_m=0.09, refine_root=True)
    torch.save({"schema": 1, "encoder": {}}, path)
    with pytest.raises(DataError, match="holds an encoder alone"):
        PoseModel.load(path)
    for part in ("head", "root_refiner"):
        torch.save({"schema": 1, **model.state(), part: {}}, path)
        with pytest.raises(DataError, match="they do not fit"):
            PoseModel.load(path)
    other = model.state()["preprocessing"] | {"mean": [0.0, 0.0, 0.0]}
    torch.save({"schema": 1, **model.state(), "preprocessing": other}, path)
    with pytest.raises(ConfigError, match=r"mean=\[0\.0, 0\.0, 0\.0\]"):
        PoseModel.load(path)
    model.save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="must be whole"):
        PoseModel.load(path)


def test_a_split_without_labels_is_refused(hands: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "valid", property(lambda self: np.zeros((len(self), 21), bool)))
    with pytest.raises(DataError, match="must have labelled joints"):
        Finetuning(config(), hands.split("train"), seed=0)
