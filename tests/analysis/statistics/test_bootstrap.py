import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import PoseErrors, interval, pose_counts, pose_medians


def errors_of(values: np.ndarray, poses: list[str]) -> PoseErrors:
    names, index = np.unique(poses, return_inverse=True)
    return PoseErrors(error_cm=values, pose=index, poses=tuple(names))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), poses=st.integers(1, 12), images=st.integers(1, 4))
def test_pose_medians_equal_the_median_of_repeated_images(
    seed: int, poses: int, images: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 9, size=(poses * images, 21)).astype(float)  # ties on purpose
    values[random.random(values.shape) < 0.2] = np.nan
    values[:, 0] = 1.0  # every image keeps a valid joint
    names = [f"p{i // images}" for i in range(len(values))]
    errors = errors_of(values, names)
    counts = pose_counts(poses, 30, random)
    slow = [np.nanmedian(np.repeat(values, row[errors.pose], axis=0)) for row in counts]
    np.testing.assert_allclose(pose_medians(errors, counts), slow)


def test_pose_counts_draw_as_many_poses_as_there_are() -> None:
    counts = pose_counts(7, 500, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean() == pytest.approx(1.0)


def test_interval_covers_the_true_median_in_about_95_of_100_samples() -> None:
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        values = random.exponential(1.0, size=(80, 1))
        errors = errors_of(values, [f"{i:03d}" for i in range(80)])
        found = interval(pose_medians(errors, pose_counts(80, 400, random)))
        inside += found.low <= np.log(2) <= found.high
    assert 0.90 <= inside / 200 <= 0.99


def test_images_of_one_pose_do_not_narrow_the_interval() -> None:
    random = np.random.default_rng(2)
    poses = random.gamma(4.0, 1.0, size=(60, 1))
    once = errors_of(poses, [f"{i:03d}" for i in range(60)])
    again = errors_of(np.repeat(poses, 4, axis=0), [f"{i // 4:03d}" for i in range(240)])
    counts = pose_counts(60, 300, random)
    np.testing.assert_allclose(pose_medians(once, counts), pose_medians(again, counts))


def test_median_per_pose_leaves_invalid_joints_out() -> None:
    values = np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]])
    found = errors_of(values, ["a", "a", "b"]).median_per_pose()
    assert found[0] == 3.0
    assert np.isnan(found[1])
