import itertools
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from handssl.errors import DataError
from handssl.evaluation import interhand_mpjpe_mm, pose_metrics
from handssl.evaluation.official import official_scores, write_submission


def poses(n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    target = generator.normal((0, 0, 0.6), 0.05, (n, 21, 3))
    return target + generator.normal(0, 0.02, target.shape), target


def slow_scores(prediction: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Mean over joints of mean errors, and of trapezoid areas at 100 thresholds to 5 cm."""
    means, areas = [], []
    for joint in range(21):
        errors = [
            sum((p[joint][k] - t[joint][k]) ** 2 for k in range(3)) ** 0.5
            for p, t in zip(prediction, target, strict=True)
        ]
        means.append(sum(errors) / len(errors))
        thresholds = [0.05 * k / 99 for k in range(100)]
        shares = [sum(e <= limit for e in errors) / len(errors) for limit in thresholds]
        areas.append(sum((a + b) / 2 for a, b in itertools.pairwise(shares)) / 99)
    return 100 * sum(means) / 21, sum(areas) / 21


def slow_aligned(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The official alignment: both centred and of unit norm, R of M = QᵀP, scale its trace.

    The official code keeps both norms away from 0 by 1e-8 and calls scipy.
    """
    aligned = []
    for p, t in zip(prediction, target, strict=True):
        p_mean, t_mean = p.mean(0), t.mean(0)
        p_norm = np.linalg.norm(p - p_mean) + 1e-8
        t_norm = np.linalg.norm(t - t_mean) + 1e-8
        p_unit, t_unit = (p - p_mean) / p_norm, (t - t_mean) / t_norm
        rotation, scale = orthogonal_procrustes(t_unit, p_unit)
        aligned.append(p_unit @ rotation.T * scale * t_norm + t_mean)
    return np.array(aligned)


def slow_scaled(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The wrist moved to its place, and the thumb's tip as far from it as it truly is."""
    scaled = []
    for p, t in zip(prediction, target, strict=True):
        factor = math.dist(t[4], t[0]) / math.dist(p[4], p[0])
        scaled.append(
            [[factor * (p[j, k] - p[0, k]) + t[0, k] for k in range(3)] for j in range(21)]
        )
    return np.array(scaled)


def test_scores_are_the_official_formulas(tmp_path: Path) -> None:
    prediction, target = poses()
    write_submission(tmp_path / "deep" / "pred.zip", prediction)
    (tmp_path / "xyz.json").write_text(json.dumps(target.tolist()))
    scores = official_scores(tmp_path / "deep" / "pred.zip", tmp_path / "xyz.json")
    forms = (prediction, slow_aligned(prediction, target), slow_scaled(prediction, target))
    expected = [number for form in forms for number in slow_scores(form, target)]
    assert [*scores.values()] == pytest.approx(expected, abs=1e-6)
    assert [name.removeprefix("xyz_") for name in scores] == [
        f"{alignment}{number}"
        for alignment in ("", "procrustes_al_", "scale_trans_al_")
        for number in ("mean3d", "auc3d")
    ]


def test_the_submission_has_the_contests_form(tmp_path: Path) -> None:
    prediction, _ = poses(3)
    write_submission(tmp_path / "pred.zip", prediction)
    with zipfile.ZipFile(tmp_path / "pred.zip") as archive:
        assert archive.namelist() == ["pred.json"]
        joints, vertices = json.loads(archive.read("pred.json"))
    assert np.allclose(joints, prediction, atol=1e-7)
    assert np.array(vertices).shape == (3, 778, 3)
    assert not np.any(vertices)
    assert [path.name for path in tmp_path.iterdir()] == ["pred.zip"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pred.json", json.dumps([poses(2)[0].tolist(), []]), "the 3 labelled images, but has 2"),
        ("pred.json", "[[[1, 2, 3]], []]", r"instead of \(n, 21, 3\)"),
        ("pred.zip", "PK", "cannot be read"),
        ("none.zip", None, "cannot be read"),
        ("xyz.json", "[1, 2]", "must list 21 joints"),
    ],
)
def test_broken_files_and_other_lengths_are_refused(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    prediction, target = poses(3)
    path, labels = tmp_path / "pred.json", tmp_path / "xyz.json"
    path.write_text(json.dumps([prediction.tolist(), []]))
    labels.write_text(json.dumps(target.tolist()))
    if content is not None:
        (tmp_path / name).write_text(content)
    submission = path if name == "xyz.json" else tmp_path / name
    with pytest.raises(DataError, match=message):
        official_scores(submission, labels)


def labelled_hands(n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
    prediction, target, valid, side = labelled_hands(60)
    both, own = toolkit(prediction, target, valid, side)
    found = interhand_mpjpe_mm(prediction, target, valid, side)
    assert found == pytest.approx(
        {"mpjpe_mm": both, "right_mpjpe_mm": own["right"], "left_mpjpe_mm": own["left"]}, abs=1e-6
    )
    pooled = 10 * pose_metrics(prediction, target, valid)["ra_mpjpe_cm"]
    assert abs(found["mpjpe_mm"] - pooled) > 1e-3, "a mean over joints, not over errors"


def test_unlabelled_joints_may_be_nan_and_absent_hands_are_left_out() -> None:
    prediction, target, valid, _ = labelled_hands()
    target[~valid] = np.nan
    side = np.full(len(target), "right")
    found = interhand_mpjpe_mm(prediction, target, valid, side)
    assert set(found) == {"mpjpe_mm", "right_mpjpe_mm"}
    assert found["mpjpe_mm"] == found["right_mpjpe_mm"] > 0
    with pytest.raises(DataError, match="at least one joint with its wrist"):
        interhand_mpjpe_mm(prediction, target, np.zeros_like(valid), side)
