import numpy as np
import pytest

from handssl.synthetic.mesh import RIG_JOINTS, SkinnedMesh, load_hand, subdivide, vertex_normals
from handssl.synthetic.rig import ASSETS


@pytest.fixture(scope="module")
def mesh() -> SkinnedMesh:
    return load_hand(ASSETS / "right.glb")


def edge_counts(mesh: SkinnedMesh) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for face in mesh.faces.tolist():
        for first, second in zip(face, face[1:] + face[:1], strict=True):
            counts[first, second] = counts.get((first, second), 0) + 1
    return counts


@pytest.mark.parametrize("levels", [0, 1])
def test_the_hand_with_its_forearm_is_one_closed_oriented_surface(
    mesh: SkinnedMesh, levels: int
) -> None:
    for _ in range(levels):
        mesh, _ = subdivide(mesh)
    counts = edge_counts(mesh)
    assert set(counts.values()) == {1}
    assert all((second, first) in counts for first, second in counts)
    assert len(mesh.vertices) - len(counts) // 2 + len(mesh.faces) == 2  # Euler: a sphere


def test_faces_are_counter_clockwise_from_outside(mesh: SkinnedMesh) -> None:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    volume = np.einsum("ni,ni->", a, np.cross(b, c)) / 6
    assert volume > 0


def test_weights_are_shares(mesh: SkinnedMesh) -> None:
    fine, _ = subdivide(mesh)
    for level in (mesh, fine):
        assert level.weights.shape == (len(level.vertices), len(RIG_JOINTS))
        assert level.weights.min() >= 0
        np.testing.assert_allclose(level.weights.sum(1), 1)


def test_the_hand_lies_in_its_wrists_frame(mesh: SkinnedMesh) -> None:
    joints = dict(zip(RIG_JOINTS, mesh.bind[:, :3, 3], strict=True))
    np.testing.assert_allclose(joints["wrist"], 0, atol=1e-12)
    assert joints["middle-finger-tip"][2] < -0.15  # fingers along −z
    assert joints["thumb-tip"][0] < joints["pinky-finger-tip"][0] - 0.1  # thumb of a right hand
    assert mesh.vertices[:, 2].max() > 0.3  # a forearm


def test_subdividing_a_flat_patch_of_equal_triangles_keeps_it_flat_and_in_place() -> None:
    # A closed octahedron: every old vertex moves along its own axis, every new one lies between.
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    mesh = SkinnedMesh(
        vertices=vertices, faces=faces, weights=np.ones((6, 1)), bind=np.eye(4)[None]
    )
    fine, edges = subdivide(mesh)
    assert fine.vertices.shape == (6 + 12, 3)
    assert fine.faces.shape == (32, 3)
    # Loop's mask for valence 4: 1 − 4β with β = (5/8 − (3/8)²)/4.
    beta = (5 / 8 - (3 / 8) ** 2) / 4
    np.testing.assert_allclose(fine.vertices[:6], (1 - 4 * beta) * vertices, atol=1e-12)
    # Three eighths of each end, one eighth of the two opposite corners, which cancel here.
    expected = 3 / 8 * (vertices[edges[:, 0]] + vertices[edges[:, 1]])
    np.testing.assert_allclose(fine.vertices[6:], expected, atol=1e-12)


def test_normals_of_a_sphere_like_body_point_outwards() -> None:
    vertices = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1.0]])
    faces = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    normals = vertex_normals(vertices, faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert (np.einsum("ni,ni->n", normals, vertices) > 0.5).all()
