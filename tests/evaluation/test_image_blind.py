import numpy as np
import pytest
import torch
from torch import Tensor

from handssl.data import Store
from handssl.evaluation import POSE_METRICS, image_blind, pose_metrics
from handssl.evaluation.image_blind import _medoid, image_blind_answers
from handssl.geometry import procrustes_align
from handssl.skeleton import REFERENCE_BONE

NAMES = {"camera_mean", "crop_mean", "crop_median", "crop_depth", "medoid"}


def repeated(pose: Tensor, store: Store) -> dict[str, float]:
    """Metrics of one pose in metres for every image."""
    return pose_metrics(pose.expand(len(store), 21, 3), store.joints_m, store.valid)


def test_camera_mean_equals_the_mean_of_the_labels(hands: Store) -> None:
    train, val = hands.split("train"), hands.split("val")
    blind = image_blind(train, val, size_px=64)
    expected = repeated(torch.from_numpy(train.joints_m).double().mean(0), val)
    assert blind["camera_mean"] == pytest.approx(expected, rel=1e-6)
    assert blind.keys() == NAMES
    assert all(answer.keys() == POSE_METRICS.keys() for answer in blind.values())


def test_no_answer_reads_a_pixel(hands: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def pixels(self: Store, rows: object) -> None:
        raise AssertionError("an image-blind answer read an image")

    monkeypatch.setattr(Store, "pixels", pixels)
    assert image_blind(hands.split("train"), hands.split("val"), size_px=32).keys() == NAMES


def test_the_size_of_the_view_does_not_matter(hands: Store) -> None:
    train, val = hands.split("train"), hands.split("val")
    small, large = (image_blind(train, val, size_px=size_px) for size_px in (32, 224))
    for name in NAMES:
        assert small[name] == pytest.approx(large[name], rel=1e-3)


def test_the_crops_side_tells_the_depth_better_than_the_shortened_bone(hands: Store) -> None:
    blind = image_blind(hands.split("train"), hands.split("val"), size_px=64)
    assert blind["crop_depth"]["median_pje_cm"] < 0.5 * blind["crop_mean"]["median_pje_cm"]
    assert blind["crop_depth"]["ra_median_pje_cm"] == pytest.approx(
        blind["crop_mean"]["ra_median_pje_cm"], rel=0.2
    )


def test_the_medoid_equals_the_search_by_brute_force(hands: Store) -> None:
    poses = torch.from_numpy(hands.split("train").joints_m).double()
    costs = []
    for pose in poses:
        aligned = procrustes_align(pose.expand_as(poses), poses, allow_reflection=False)
        costs.append(float((aligned - poses).square().sum()))
    valid = torch.ones(poses.shape[:2], dtype=torch.bool)
    assert _medoid(poses, valid).equal(poses[int(np.argmin(costs))])


def test_2d_errors_of_the_camera_mean_equal_its_projection(hands: Store) -> None:
    train, val = hands.split("train"), hands.split("val")
    answer = image_blind_answers(train, val, size_px=64)["camera_mean"]
    mean = torch.from_numpy(train.joints_m).double().mean(0)
    k = torch.from_numpy(val.intrinsics).double()
    pixels, truth = mean @ k.mT, torch.from_numpy(val.joints_m).double() @ k.mT
    distance = (pixels[..., :2] / pixels[..., 2:] - truth[..., :2] / truth[..., 2:]).norm(dim=-1)
    expected = 100 * distance / torch.from_numpy(val.side_px)[:, None]
    np.testing.assert_allclose(answer.errors["uv_error_pct"], expected, rtol=1e-4, atol=1e-3)


def test_missing_joints_are_left_out(hands: Store) -> None:
    """Answers of a store without some labels are those of the remaining labels."""
    train, val = hands.split("train"), hands.split("val")
    poses = torch.from_numpy(train.joints_m).double()
    valid = torch.ones(poses.shape[:2], dtype=torch.bool)
    valid[:, 20] = False
    valid[0, list(REFERENCE_BONE)] = False
    poses[~valid] = torch.nan
    medoid = _medoid(poses, valid)
    assert medoid[:20].isfinite().all()
    assert len(val) > 0
