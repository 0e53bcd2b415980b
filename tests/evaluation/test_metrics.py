import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handssl.errors import ConfigError, DataError
from handssl.evaluation import POSE_METRICS, joint_errors_cm, pck_curve, pose_metrics
from handssl.evaluation.metrics import PCK_RANGES, pck_auc

Poses = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]
NAMES = ("mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm")


def random_poses(n: int, *, noise_m: float = 0.02, invalid: float = 0.2) -> Poses:
    generator = np.random.default_rng(n)
    target = generator.normal((0, 0, 0.6), 0.05, (n, 21, 3))
    prediction = target + generator.normal(0, noise_m, target.shape)
    return prediction, target, generator.random((n, 21)) >= invalid


def shifted_by_cm(errors_cm: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One sample for each error, all its joints wrong by that much along x."""
    target = np.zeros((len(errors_cm), 21, 3))
    prediction = target.copy()
    prediction[..., 0] = np.array(errors_cm)[:, None] / 100
    return prediction, target


def slow_auc(errors: list[list[float]], thresholds: list[float], *, inclusive: bool) -> float:
    """Mean over joints of the trapezoids under the share of errors below each threshold."""
    areas = []
    for joint in errors:
        if not joint:
            continue
        shares = [
            sum(e <= t if inclusive else e < t for e in joint) / len(joint) for t in thresholds
        ]
        area = 0.0
        for k in range(1, len(thresholds)):
            area += (shares[k] + shares[k - 1]) / 2 * (thresholds[k] - thresholds[k - 1])
        areas.append(area / (thresholds[-1] - thresholds[0]))
    return sum(areas) / len(areas)


def slow_metrics(
    prediction: NDArray[np.float64], target: NDArray[np.float64], valid: NDArray[np.bool_]
) -> dict[str, float]:
    """The four numbers of the raw poses, joint by joint."""
    by_joint: list[list[float]] = [[] for _ in range(21)]
    for p, t, v in zip(prediction, target, valid, strict=True):
        for joint in range(21):
            if v[joint]:
                by_joint[joint].append(100 * math.dist(p[joint], t[joint]))
    pooled = sorted(error for joint in by_joint for error in joint)
    middle = len(pooled) // 2
    median = pooled[middle] if len(pooled) % 2 else (pooled[middle - 1] + pooled[middle]) / 2
    return {
        "mpjpe_cm": sum(pooled) / len(pooled),
        "median_pje_cm": median,
        "auc_5cm": slow_auc(by_joint, [5 * k / 99 for k in range(100)], inclusive=True),
        "auc_50cm": slow_auc(by_joint, [k / 2 for k in range(100)], inclusive=False),
    }


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("noise_m", [0.01, 0.2])
def test_metrics_equal_the_slow_loop(n: int, noise_m: float) -> None:
    prediction, target, valid = random_poses(n, noise_m=noise_m)
    metrics = pose_metrics(prediction, target, valid)
    for name, value in slow_metrics(prediction, target, valid).items():
        assert metrics[name] == pytest.approx(value, rel=1e-12), name


def test_root_aligned_metrics_are_those_of_poses_relative_to_the_wrist() -> None:
    prediction, target, valid = random_poses(5)
    valid[:, 0] = True
    metrics = pose_metrics(prediction, target, valid)
    relative = slow_metrics(prediction - prediction[:, :1], target - target[:, :1], valid)
    for name, value in relative.items():
        assert metrics[f"ra_{name}"] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize(
    ("errors_cm", "expected"),
    [
        ([1.0, 2.0, 4.0, 9.0], {"mpjpe_cm": 4.0, "median_pje_cm": 3.0}),  # two middle values
        ([1.0, 2.0, 9.0], {"median_pje_cm": 2.0, "ra_mpjpe_cm": 0.0, "ra_auc_5cm": 1.0}),
        ([60.0], {"auc_5cm": 0.0, "auc_50cm": 0.0}),
    ],
)
def test_numbers_computed_by_hand(errors_cm: list[float], expected: dict[str, float]) -> None:
    metrics = pose_metrics(*shifted_by_cm(errors_cm))
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_a_perfect_prediction_misses_only_the_strict_threshold_at_zero() -> None:
    target = random_poses(4)[1]
    metrics = pose_metrics(target, target)
    assert metrics["auc_5cm"] == 1.0
    # Error < 0 is never true, so the first of 99 trapezoids is a triangle: 1 − ½/99.
    assert metrics["auc_50cm"] == pytest.approx(1 - 0.5 / 99)


def test_an_error_equal_to_a_threshold_counts_only_in_the_official_range() -> None:
    # An error at threshold 20 of 0 to 99: half a trapezoid before or after it, and the rest.
    for limit, area in (("5cm", 79.5 / 99), ("50cm", 78.5 / 99)):
        error_cm = np.full((1, 1), PCK_RANGES[limit][0][20])
        assert pck_auc(error_cm, limit=limit) == pytest.approx(area)


def test_auc_is_the_mean_over_joints_not_over_errors() -> None:
    """One joint is right in its only valid sample, the others are wrong in both."""
    prediction, target = shifted_by_cm([60.0, 60.0])
    prediction[0, 5] = target[0, 5]
    valid = np.ones((2, 21), dtype=bool)
    valid[1, 5] = False
    assert pose_metrics(prediction, target, valid)["auc_5cm"] == pytest.approx(1 / 21)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_procrustes_metrics_ignore_rotation_scale_and_shift(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    target = generator.normal(0, 0.05, (2, 21, 3))
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    metrics = pose_metrics(scale * target @ rotation.T + generator.normal(size=3), target)
    assert metrics["pa_mpjpe_cm"] == pytest.approx(0, abs=1e-5)
    assert metrics["pa_median_pje_cm"] == pytest.approx(0, abs=1e-5)


def test_a_mirrored_hand_is_perfect_officially_and_wrong_for_the_study() -> None:
    target = random_poses(3)[1]
    metrics = pose_metrics(target * [-1, 1, 1], target)
    assert metrics["pa_mpjpe_cm"] == pytest.approx(0, abs=1e-6)
    assert metrics["pa_auc_5cm"] >= 1 - 0.5 / 99 - 1e-9
    assert metrics["pa_median_pje_cm"] > 1
    assert metrics["pa_auc_50cm"] < 1 - 0.5 / 99


def test_invalid_joints_change_nothing_whatever_they_hold() -> None:
    prediction, target, valid = random_poses(6)
    clean = pose_metrics(prediction, target, valid)
    prediction[~valid] = 1e6
    target[~valid] = np.nan
    assert pose_metrics(prediction, target, valid) == pytest.approx(clean, rel=1e-9)


def test_a_sample_without_a_valid_wrist_has_no_root_aligned_error() -> None:
    prediction, target = shifted_by_cm([1.0, 3.0])
    prediction[:, 1:, 0] += 0.02
    valid = np.ones((2, 21), dtype=bool)
    valid[0, 0] = False
    errors = joint_errors_cm(prediction, target, valid, alignment="root")
    assert np.isnan(errors[0]).all()
    assert errors[1] == pytest.approx([0.0] + [2.0] * 20)


def test_joint_errors_are_nan_exactly_where_joints_do_not_count() -> None:
    prediction, target, valid = random_poses(4)
    errors = joint_errors_cm(prediction, target, valid)
    assert errors.shape == (4, 21)
    assert np.array_equal(np.isnan(errors), ~valid)


def test_tensors_and_float32_are_welcome() -> None:
    prediction, target, valid = random_poses(4)
    from_arrays = pose_metrics(prediction, target, valid)
    from_tensors = pose_metrics(
        torch.from_numpy(prediction).float().requires_grad_(),
        torch.from_numpy(target).float(),
        torch.from_numpy(valid),
    )
    assert from_tensors == pytest.approx(from_arrays, rel=1e-4)


@pytest.mark.parametrize(
    ("prediction", "target", "valid", "message"),
    [
        (np.zeros((2, 21, 3)), np.zeros((3, 21, 3)), None, r"prediction_m=\(2, 21, 3\)"),
        (np.zeros((2, 21, 2)), np.zeros((2, 21, 2)), None, "must both be"),
        (np.zeros((2, 21, 3)), np.zeros((2, 21, 3)), np.ones((2, 3)), r"valid=\(2, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    prediction: object, target: object, valid: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        pose_metrics(prediction, target, valid)  # type: ignore[arg-type]


def test_values_that_are_not_finite_and_empty_masks_are_refused() -> None:
    prediction, target, valid = random_poses(2, invalid=0.0)
    broken = prediction.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="prediction_m must be finite"):
        pose_metrics(broken, target, valid)
    with pytest.raises(DataError, match="target_m must be finite where valid"):
        pose_metrics(prediction, broken, valid)
    with pytest.raises(DataError, match="at least one joint"):
        pose_metrics(prediction, target, ~valid)


@pytest.mark.parametrize("limit", PCK_RANGES)
def test_a_curve_is_the_mean_share_of_correct_joints_at_each_threshold(limit: str) -> None:
    errors = joint_errors_cm(*random_poses(40))
    errors[:, 3] = np.nan
    thresholds, curve = pck_curve(errors, limit=limit)
    steps = {"5cm": [5 * k / 99 for k in range(100)], "50cm": [k / 2 for k in range(100)]}
    assert thresholds.tolist() == pytest.approx(steps[limit])
    for threshold, height in zip(thresholds, curve, strict=True):
        shares = []
        for joint in errors.T:
            own = [e for e in joint if not np.isnan(e)]
            hits = [e <= threshold if limit == "5cm" else e < threshold for e in own]
            shares += [sum(hits) / len(own)] if own else []
        assert height == pytest.approx(sum(shares) / 20)


@pytest.mark.parametrize("prefix", ["", "ra_", "pa_"])
def test_the_area_under_a_curve_is_the_metric(prefix: str) -> None:
    poses = random_poses(30)
    metrics = pose_metrics(*poses)
    alignments = {"": ("none", "none"), "ra_": ("root", "root")}
    alignments["pa_"] = ("procrustes", "procrustes_proper")
    for limit, alignment in zip(("5cm", "50cm"), alignments[prefix], strict=True):
        errors = joint_errors_cm(*poses, alignment=alignment)  # type: ignore[arg-type]
        thresholds, curve = pck_curve(errors, limit=limit)
        area = np.trapezoid(curve, thresholds) / (thresholds[-1] - thresholds[0])
        assert area == pytest.approx(metrics[f"{prefix}auc_{limit}"], abs=1e-12)


def test_a_curve_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="at least one joint that counts"):
        pck_curve(np.full((2, 21), np.nan), limit="5cm")
    with pytest.raises(ConfigError, match="must be one of 5cm, 50cm, but got limit='5'"):
        pck_curve(np.zeros((2, 21)), limit="5")


def test_every_metric_is_better_in_its_direction() -> None:
    near, far = (
        pose_metrics(*random_poses(40, noise_m=noise, invalid=0.0)[:2]) for noise in (0.01, 0.03)
    )
    assert near.keys() == {f"{prefix}{name}" for prefix in ("", "ra_", "pa_") for name in NAMES}
    assert near.keys() == POSE_METRICS.keys()
    for name, direction in POSE_METRICS.items():
        assert (near[name] < far[name]) == (direction == "minimize"), name
        assert near[name] != far[name]
