import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from handssl.data.camera import project_px
from handssl.data.raw.plausibility import label_problem
from handssl.geometry import project

K = np.array([[480.0, 0, 112], [0, 480.0, 112], [0, 0, 1]])
ALL = np.ones(21, dtype=bool)


def _hand() -> NDArray[np.float64]:
    joints = np.random.default_rng(0).uniform(-0.08, 0.08, (21, 3))
    joints[:, 2] += 0.7
    return joints


def test_projection_equals_the_geometry_rooms() -> None:
    expected = project(torch.from_numpy(_hand())[None], torch.from_numpy(K)[None])[0]
    np.testing.assert_allclose(project_px(_hand(), K), expected.numpy(), rtol=1e-12)


def test_a_true_label_has_no_problem() -> None:
    assert label_problem(K, _hand(), ALL, (224, 224)) is None
    assert label_problem(K, np.full((21, 3), np.nan), ~ALL, (224, 224)) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda k, j: (k * np.nan, j), "NaN"),
        (lambda k, j: (-k, j), "camera matrix"),
        (lambda k, j: (k.T, j), "camera matrix"),
        (lambda k, j: (k, np.where(np.arange(63).reshape(21, 3) == 5, np.nan, j)), "NaN"),
        (lambda k, j: (k, j * [1, 1, -1]), "behind"),
        (lambda k, j: (k, j * 1000), "metres"),
        (lambda k, j: (k, j * 10), "metres"),
        (lambda k, j: (k, np.repeat(j[:1], 21, axis=0)), "all joints the same"),
        (lambda k, j: (k, j + np.array([0.6, 0, 0])), "outside"),
    ],
)
def test_what_cannot_be_true_is_named(change, word: str) -> None:  # type: ignore[no-untyped-def]
    intrinsics, joints = change(K, _hand())
    problem = label_problem(intrinsics, joints, ALL, (224, 224))
    assert problem is not None
    assert word in problem
