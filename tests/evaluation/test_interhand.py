import numpy as np
import pytest

from handssl.errors import DataError
from handssl.evaluation import interhand_mpjpe_mm, pose_metrics


def hands(n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    target = generator.normal((0, 0, 0.9), 0.05, (n, 21, 3))
    prediction = target + generator.normal(0, 0.01, target.shape)
    valid = generator.random((n, 21)) < 0.7
    valid[:, 0] |= generator.random(n) < 0.8
    side = np.where(np.arange(n) % 3 == 0, "left", "right")
    return prediction, target, valid, side


def toolkit(
    prediction: np.ndarray, target: np.ndarray, valid: np.ndarray, side: np.ndarray
) -> tuple[float, dict[str, float]]:
    """42 lists of errors in millimetres; invalid wrists take their hand along."""
    lists: dict[str, list[list[float]]] = {s: [[] for _ in range(21)] for s in ("right", "left")}
    for p, t, v, s in zip(1000 * prediction, 1000 * target, valid, side, strict=True):
        for joint in range(21):
            if v[joint] and v[0]:
                difference = (p[joint] - p[0]) - (t[joint] - t[0])
                lists[s][joint].append(float(np.sqrt((difference**2).sum())))
    means = {s: [float(np.mean(own)) for own in joints] for s, joints in lists.items()}
    every = means["right"] + means["left"]
    return sum(every) / 42, {s: sum(own) / 21 for s, own in means.items()}


def test_the_number_is_the_toolkits_to_six_digits() -> None:
    prediction, target, valid, side = hands(60)
    both, own = toolkit(prediction, target, valid, side)
    found = interhand_mpjpe_mm(prediction, target, valid, side)
    assert found == pytest.approx(
        {"mpjpe_mm": both, "right_mpjpe_mm": own["right"], "left_mpjpe_mm": own["left"]}, abs=1e-6
    )
    pooled = 10 * pose_metrics(prediction, target, valid)["ra_mpjpe_cm"]
    assert abs(found["mpjpe_mm"] - pooled) > 1e-3, "a mean over joints, not over errors"


def test_unlabelled_joints_may_be_nan_and_absent_hands_are_left_out() -> None:
    prediction, target, valid, _ = hands()
    target[~valid] = np.nan
    side = np.full(len(target), "right")
    found = interhand_mpjpe_mm(prediction, target, valid, side)
    assert set(found) == {"mpjpe_mm", "right_mpjpe_mm"}
    assert found["mpjpe_mm"] == found["right_mpjpe_mm"] > 0
    with pytest.raises(DataError, match="at least one joint with its wrist"):
        interhand_mpjpe_mm(prediction, target, np.zeros_like(valid), side)
