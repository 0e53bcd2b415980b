import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handssl.data import Store
from handssl.encoders import Encoder, EncoderConfig, build_encoder
from handssl.errors import DataError
from handssl.evaluation import ProbeConfig, linear_probe
from handssl.evaluation.features import LabelledFeatures, ViewLabels
from handssl.evaluation.probe import fit_layer, held_out_rows, with_labels
from handssl.geometry import joints_to_25d


class _Oracle(nn.Module):
    """Knows the pose of the image that it is shown: features linear in 2.5D, rows in order."""

    def __init__(self, poses: list[Tensor]) -> None:
        super().__init__()
        self._poses = poses

    def forward(self, images: Tensor) -> Tensor:
        mixing = torch.randn(63, 80, generator=torch.Generator().manual_seed(0))
        return self._poses.pop(0).flatten(1) @ mixing


def true_poses(store: Store) -> Tensor:
    """2.5D poses of the unaugmented views at 48 px."""
    side = torch.from_numpy(store.side_px)
    matrix = torch.eye(3).repeat(len(store), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 48 / side
    matrix[:, :2, 2] = 23.5 - torch.from_numpy(store.centre_px) * 48 / side[:, None]
    camera = matrix @ torch.from_numpy(store.intrinsics)
    return joints_to_25d(torch.from_numpy(store.joints_m), camera)[0] / 48


def labelled(n: int, seed: int = 0) -> LabelledFeatures:
    generator = torch.Generator().manual_seed(seed)
    pose = torch.rand(n, 21, 3, generator=generator)
    mixing = torch.randn(63, 70, generator=torch.Generator().manual_seed(9))
    return LabelledFeatures(
        features=pose.flatten(1) @ mixing,
        labels=ViewLabels(
            pose=pose,
            valid=torch.ones(n, 21, dtype=torch.bool),
            bone_m=torch.ones(n),
            root_m=torch.ones(n),
            intrinsics=torch.eye(3).repeat(n, 1, 1),
            groups=np.arange(n).astype(str),
        ),
    )


def predict(fitted: LabelledFeatures, held_out: Tensor, features: Tensor) -> Tensor:
    return fit_layer(fitted, held_out)(features).view(-1, 21, 3)


@pytest.mark.parametrize("solver", ["exact", "robust"])
def test_both_solvers_on_cached_features_find_the_pose(hands: Store, solver: str) -> None:
    train, val = hands.split("train"), hands.split("val")
    poses = [true_poses(store) for store in (train, val)]
    blind = [torch.rand_like(pose) for pose in poses]
    config = ProbeConfig(solver=solver, size_px=48, augmented_passes=0)
    result = linear_probe(Encoder(_Oracle(poses), 80), train, val, config)
    guess = linear_probe(Encoder(_Oracle(blind), 80), train, val, config)
    assert result.metrics["mpjpe_cm"] < 0.5
    assert guess.metrics["mpjpe_cm"] > 10
    assert result.history == ()
    assert 0.05 < result.bone_m < 0.15


def test_the_released_solver_validates_every_epoch_and_learns(hands: Store) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    train, val = hands.split("train"), hands.split("val")
    config = ProbeConfig(solver="released", epochs=3, size_px=32)
    result = linear_probe(encoder, train, val, config, seed=1)
    assert [epoch.keys() for epoch in result.history] == [result.metrics.keys()] * 3
    assert result.history[-1] == result.metrics
    again = linear_probe(encoder, train, val, config, seed=1)
    assert again.history == result.history
    features = torch.zeros(1, encoder.feature_dim)
    assert result.layer(features).shape == (1, 63)


def test_fewer_labels_are_whole_groups_and_part_of_more(hands: Store) -> None:
    train = hands.split("train")
    some, more = with_labels(train, 0.1, seed=3), with_labels(train, 0.5, seed=3)
    assert set(some.groups) < set(more.groups) < set(train.groups)
    assert len(set(more.groups)) == round(0.5 * len(set(train.groups)))
    for name in set(some.groups):
        assert (some.groups == name).sum() == (train.groups == name).sum()
    assert len(set(with_labels(train, 0.001, seed=3).groups)) == 2
    assert with_labels(train, 1.0, seed=3) is train


def test_a_probe_with_few_labels_sees_no_others(hands: Store) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    train, val = hands.split("train"), hands.split("val")
    few = ProbeConfig(size_px=32, augmented_passes=1, label_fraction=0.2)
    everything = ProbeConfig(size_px=32, augmented_passes=1)
    some = with_labels(train, 0.2, seed=4)
    metrics = linear_probe(encoder, train, val, few, seed=4).metrics
    assert metrics == linear_probe(encoder, some, val, everything, seed=4).metrics
    assert metrics != linear_probe(encoder, train, val, everything, seed=4).metrics


def test_the_probe_of_a_real_encoder_reports_everything(hands: Store) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="resnet18"))
    train, val = hands.split("train"), hands.split("val")
    config = ProbeConfig(size_px=32, augmented_passes=1)
    first = linear_probe(encoder, train, val, config, seed=1)
    again = linear_probe(encoder, train, val, config, seed=1)
    other = linear_probe(encoder, train, val, config, seed=2)
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics
    assert first.prediction_m.shape == (len(val), 21, 3)
    assert np.nanmedian(first.errors["error_cm"]) == pytest.approx(first.metrics["median_pje_cm"])
    assert list(first.groups) == list(val.groups)
    assert first.timings_s["total"] >= first.timings_s["features"] > 0


def test_the_fit_recovers_poses_that_are_linear_in_the_features() -> None:
    fitted, new = labelled(200), labelled(20, seed=1)
    held_out = torch.arange(200) >= 180
    assert (predict(fitted, held_out, new.features) - new.labels.pose).abs().max() < 1e-3


def test_invalid_joints_neither_teach_nor_spoil_the_others() -> None:
    fitted, new = labelled(200), labelled(20, seed=1)
    held_out = torch.arange(200) >= 180
    fitted.labels.valid[:90, 7] = False
    fitted.labels.pose[:90, 7] = torch.nan
    prediction = predict(fitted, held_out, new.features)
    assert (prediction - new.labels.pose).abs().max() < 1e-3


def test_a_joint_without_labels_is_predicted_at_the_centre() -> None:
    fitted = labelled(100)
    fitted.labels.valid[:, 3] = False
    fitted.labels.pose[:, 3] = torch.nan
    prediction = predict(fitted, torch.arange(100) >= 80, fitted.features)
    assert torch.equal(prediction[:, 3], torch.tensor([0.5, 0.5, 0.0]).double().expand(100, 3))


def test_no_group_is_split_between_fitting_and_choosing() -> None:
    groups = np.array([f"pose{i % 30}" for i in range(120)])
    held_out = held_out_rows(groups, 0.1, seed=0)
    assert set(groups[held_out]).isdisjoint(groups[~held_out])
    assert len(set(groups[held_out])) == 3
    assert held_out_rows(np.array(["a", "b"]), 0.99, seed=0).sum() == 1


def test_one_group_cannot_choose_a_penalty() -> None:
    with pytest.raises(DataError, match="at least 2 groups"):
        held_out_rows(np.array(["a", "a"]), 0.1, seed=0)


def test_a_split_without_labels_is_refused(hands: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build_encoder(EncoderConfig(name="resnet18"))
    monkeypatch.setattr(Store, "valid", property(lambda self: np.zeros((len(self), 21), bool)))
    with pytest.raises(DataError, match="training split must have labelled joints"):
        linear_probe(
            encoder,
            hands.split("train"),
            hands.split("val"),
            ProbeConfig(size_px=16, augmented_passes=0),
        )
