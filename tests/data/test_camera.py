import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handssl.data.camera import mirror_intrinsics, mirror_joints, project_px


@given(
    st.floats(100, 2000), st.floats(-5, 5), st.floats(0, 511), st.integers(1, 600), st.integers(0)
)
def test_mirroring_twice_is_the_identity_and_once_mirrors_the_projection(
    focal: float, skew: float, centre: float, width: int, seed: int
) -> None:
    intrinsics = np.array([[focal, skew, centre], [0, focal, 120.0], [0, 0, 1]])
    joints = np.random.default_rng(seed).uniform(-0.1, 0.1, (21, 3)) + np.array([0, 0, 0.7])
    once = mirror_intrinsics(intrinsics, width)
    np.testing.assert_allclose(mirror_intrinsics(once, width), intrinsics, atol=1e-9)
    np.testing.assert_array_equal(mirror_joints(mirror_joints(joints)), joints)
    straight = project_px(joints, intrinsics)
    mirrored = project_px(mirror_joints(joints), once)
    np.testing.assert_allclose(mirrored[:, 0], width - 1 - straight[:, 0], atol=1e-6)
    np.testing.assert_allclose(mirrored[:, 1], straight[:, 1], atol=1e-9)
