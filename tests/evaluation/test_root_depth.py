import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError, DataError
from handssl.evaluation import (
    PoseModel,
    ProbeConfig,
    evaluate_model,
    image_blind,
    linear_probe,
)
from handssl.evaluation.features import ViewLabels, crop_labels
from handssl.evaluation.lifting import Lift
from handssl.evaluation.root_depth import RootDepth, focal_px
from handssl.geometry import joints_from_25d, joints_to_25d

PX = torch.tensor([64.0, 64.0, 1.0])


def labels_of(store: Store) -> ViewLabels:
    return crop_labels(store, size_px=64)


def shrunk(labels: ViewLabels, share: float) -> Tensor:
    """True poses, drawn towards their mean as a regression draws them."""
    pose = labels.pose.double()
    return ((1 - share) * pose + share * pose.mean(0)) * PX


def depth_error(lifted: Tensor, store: Store) -> float:
    truth = torch.from_numpy(store.joints_m).double()[:, 0, 2]
    return float((lifted[:, 0, 2].double() / truth).log().abs().median())


def test_rotations_keep_the_focal_length_and_zooms_multiply_it() -> None:
    camera = torch.tensor([[400.0, 0, 32], [0, 400, 30], [0, 0, 1]])
    angle = torch.tensor(0.7)
    turn = torch.eye(3)
    turn[:2, :2] = 2.5 * torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    assert focal_px(torch.stack([camera, turn @ camera])).tolist() == pytest.approx([400, 1000])


def test_hands_that_fill_their_box_alike_have_their_exact_depth() -> None:
    """One rigid pose at many depths on the axis: the side is exactly inverse to the depth."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.rand(1, 21, 3, generator=generator, dtype=torch.float64) * 0.1
    pose[..., 2] *= 1e-6  # flat, so that perspective has no part in it
    depth = torch.linspace(0.4, 1.5, 12, dtype=torch.float64)
    joints = pose.repeat(12, 1, 1)
    joints[..., 2] += depth[:, None]
    focal = 300 * depth  # a crop in proportion to the hand: the view's focal length grows with Z
    camera = torch.zeros(12, 3, 3, dtype=torch.float64)
    camera[:, 0, 0] = camera[:, 1, 1] = focal
    camera[:, 2, 2] = 1
    poses, bone_m = joints_to_25d(joints, camera)
    labels = ViewLabels(
        pose=poses / PX,
        valid=torch.ones(12, 21, dtype=torch.bool),
        bone_m=bone_m,
        root_m=joints[:, 0, 2],
        intrinsics=camera,
        groups=np.arange(12).astype(str),
    )
    lifted = RootDepth.of_crops(labels)(poses, bone_m, camera)
    torch.testing.assert_close(lifted, joints)


def test_exact_predictions_use_the_closed_form_alone(hands: Store) -> None:
    train, val = labels_of(hands.split("train")), labels_of(hands.split("val"))
    lift = RootDepth.of_crops(train).calibrated(shrunk(train, 0), train)
    assert lift.weight == pytest.approx(1, abs=1e-3)
    assert lift.bias == pytest.approx(0, abs=1e-3)
    pose = shrunk(val, 0)
    torch.testing.assert_close(
        lift(pose, val.bone_m, val.intrinsics),
        joints_from_25d(pose, val.bone_m, val.intrinsics),
        rtol=2e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.0])
def test_shrunk_predictions_lift_no_worse_than_either_depth(hands: Store, share: float) -> None:
    """The weight comes from the training set, the errors from the validation set."""
    train_store, val_store = hands.split("train"), hands.split("val")
    train, val = labels_of(train_store), labels_of(val_store)
    crop = RootDepth.of_crops(train)
    lift = crop.calibrated(shrunk(train, share), train)
    pose = shrunk(val, share)
    rules: dict[str, Lift] = {"calibrated": lift, "crop": crop, "closed": joints_from_25d}
    errors = {
        name: depth_error(rule(pose, val.bone_m.double(), val.intrinsics.double()), val_store)
        for name, rule in rules.items()
    }
    assert errors["calibrated"] <= 1.5 * min(errors["crop"], errors["closed"])  # 7 hands
    assert 0 <= lift.weight <= 1


def test_one_held_out_view_and_none_leave_the_crops_depth(hands: Store) -> None:
    train = labels_of(hands.split("train"))
    crop, pose = RootDepth.of_crops(train), shrunk(train, 0.5)
    first = torch.zeros(len(train.groups), dtype=torch.bool)
    first[0] = True
    assert crop.calibrated(pose[first], train.select(first)).weight == 0
    none = dataclasses.replace(train, valid=torch.zeros_like(train.valid))
    assert crop.calibrated(pose, none) == crop


@pytest.mark.parametrize("solver", ["exact", "robust", "released"])
def test_an_encoder_with_random_weights_is_no_worse_than_the_best_image_blind_answer(
    hands: Store, solver: str
) -> None:
    train, val = hands.split("train"), hands.split("val")
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    config = ProbeConfig(size_px=32, solver=solver, epochs=2, lifting="calibrated")
    calibrated = linear_probe(encoder, train, val, config).metrics
    closed = linear_probe(
        encoder, train, val, dataclasses.replace(config, lifting="closed_form")
    ).metrics
    assert calibrated["median_pje_cm"] < closed["median_pje_cm"]
    assert calibrated["uv_median_pct"] == closed["uv_median_pct"]
    if solver == "released":  # two epochs leave the layer far from a solution
        return
    blind = image_blind(train, val, size_px=32)
    best = min(answer["median_pje_cm"] for answer in blind.values())
    assert calibrated["median_pje_cm"] < 1.5 * best  # a few hands; benchmarks measure the 2 %


def test_an_unknown_lifting_and_too_few_groups_are_refused(hands: Store) -> None:
    with pytest.raises(ConfigError, match=r"probe\.lifting.*exact_form"):
        ProbeConfig(lifting="exact_form")
    train = hands.split("train")
    two = train.select(np.flatnonzero(np.isin(train.groups, np.unique(train.groups)[:2])))
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    with pytest.raises(DataError, match=r"lifting=calibrated.*3 groups.*2"):
        linear_probe(
            encoder, two, hands.split("val"), ProbeConfig(size_px=32, lifting="calibrated")
        )


def test_a_saved_probe_lifts_as_it_was_calibrated(hands: Store, tmp_path: Path) -> None:
    train, val = hands.split("train"), hands.split("val")
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    config = ProbeConfig(size_px=32, lifting="calibrated")
    result = linear_probe(encoder, train, val, config)
    model = PoseModel.from_probe(encoder, result, name="resnet10t", size_px=32)
    model.save(tmp_path / "pose.pt")
    again = PoseModel.load(tmp_path / "pose.pt")
    assert again.calibration == result.calibration
    assert evaluate_model(again, val).metrics == pytest.approx(result.metrics, rel=1e-3)
