"""The articulated hand: from joint angles and proportions to the posed surface and 21 joints."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from scipy import sparse

from handssl.synthetic.arrays import Floats, Ints, Singles, Triangles
from handssl.synthetic.mesh import SkinnedMesh, load_hand, subdivide, vertex_normals

ASSETS: Final = Path(__file__).parent / "assets"

PARENTS: Final = (
    -1,
    *(0, 1, 2, 3),
    *(parent for base in (5, 10, 15, 20) for parent in (0, base, base + 1, base + 2, base + 3)),
    0,
)
"""Parent of each of `RIG_JOINTS`."""

TIPS: Final = (4, 9, 14, 19, 24)
FREIHAND_JOINTS: Final = tuple(joint for joint in range(25) if joint not in (5, 10, 15, 20))
"""The rig's joints in FreiHAND's order: the four fingers' metacarpal joints are left out."""

_LEVELS: Final = (
    (1, 5, 10, 15, 20, 25),
    (2, 6, 11, 16, 21),
    (3, 7, 12, 17, 22),
    (4, 8, 13, 18, 23),
    (9, 14, 19, 24),
)
_SUBDIVISIONS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedSurface:
    """A hand in a camera's or the world's frame, metres.

    Attributes:
        positions, normals: (n, 3) float32 vertices of the finest mesh and their unit normals.
        joints: (26, 3) the rig's joints.
        size: Growth of the whole hand.
    """

    positions: Singles
    normals: Singles
    joints: Floats
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """The hand at rest, ready to be posed.

    Attributes:
        vertices, normals: (n, 3) float32 rest surface of the finest mesh, hand frame, metres.
        faces: (m, 3) of the finest mesh.
        weights: (n, 26) float32, sparse.
        edges: Per subdivision, the (e, 2) vertices whose midpoints the finer level adds; a
            coarser level's vertices are the first of the finer one's.
        counts: Number of vertices at every level, coarsest first.
        bind, inverse_bind, local: (26, 4, 4) rest transforms to the hand frame, their inverses,
            and the rest transforms relative to the parent joint.
        tips: (5, 3) the fingertips on the surface, in the frame of each distal phalanx.
    """

    vertices: Singles
    normals: Singles
    faces: Triangles
    weights: sparse.csr_array
    edges: tuple[Ints, ...]
    counts: tuple[int, ...]
    bind: Floats
    inverse_bind: Floats
    local: Floats
    tips: Floats

    def pose(self, angles_rad: Floats, scale: Floats) -> tuple[Floats, Floats]:
        """Forward kinematics, for one hand or a stack of them.

        Args:
            angles_rad: (..., 26, 3) flexion (about −x), abduction (about y) and twist (about z)
                in each joint's own frame.
            scale: (..., 26, 3) growth of each bone along its own axes; −z is its length.

        Returns:
            (..., 26, 4, 4) transforms joint frame → hand frame, without growth; and
            (..., 21, 3) joints in FreiHAND's order, hand frame, metres.
        """
        flexion, abduction, twist = np.moveaxis(angles_rad, -1, 0)
        rotation = (
            rotation_about(1, abduction) @ rotation_about(0, -flexion) @ rotation_about(2, twist)
        )
        parents = list(PARENTS)
        local = np.broadcast_to(self.local, (*angles_rad.shape[:-1], 4, 4)).copy()
        local[..., 1:, :3, 3] *= scale[..., parents[1:], :]
        local[..., :3, :3] = local[..., :3, :3] @ rotation
        placed = local.copy()
        for level in _LEVELS:
            up = [parents[joint] for joint in level]
            placed[..., level, :, :] = placed[..., up, :, :] @ local[..., level, :, :]
        points = placed[..., :3, 3].copy()
        distal = [tip - 1 for tip in TIPS]
        reach = (self.tips * scale[..., distal, :])[..., None]
        frame = placed[..., distal, :, :]
        points[..., TIPS, :] = (frame[..., :3, :3] @ reach)[..., 0] + frame[..., :3, 3]
        return placed, points[..., FREIHAND_JOINTS, :]

    def skin(
        self,
        placed: Floats,
        scale: Floats,
        rest: Singles,
        *,
        rotation: Floats,
        shift: Floats,
        size: float,
    ) -> PosedSurface:
        """Linear blend skinning of a rest surface.

        Args:
            placed: (26, 4, 4) from `pose`.
            scale: (26, 3) the growth given to `pose`.
            rest: (n, 3) rest surface: `vertices`, or those of a hand with a sleeve.
            rotation: (3, 3) hand frame → camera or world frame.
            shift: (3,) the wrist in that frame, metres.
            size: Growth of the whole hand.
        """
        frame = np.eye(4)
        frame[:3, :3] = rotation * size
        frame[:3, 3] = shift
        grown = placed.copy()
        grown[:, :3, :3] *= scale[:, None, :]
        matrices = (frame @ grown @ self.inverse_bind)[:, :3].astype(np.float32)
        blended = (self.weights @ matrices.reshape(len(matrices), 12)).reshape(-1, 3, 4)
        positions = np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3]
        normals = np.einsum("nij,nj->ni", blended[:, :, :3], self.normals)
        normals /= np.sqrt(np.einsum("ni,ni->n", normals, normals))[:, None]
        joints = placed[:, :3, 3] @ frame[:3, :3].T + frame[:3, 3]
        return PosedSurface(positions=positions, normals=normals, joints=joints, size=size)

    def refine(self, values: Singles, level: int) -> Singles:
        """Carry values at the vertices of a coarser level to the finest one, by midpoints."""
        for edges in self.edges[level:]:
            values = np.concatenate([values, (values[edges[:, 0]] + values[edges[:, 1]]) / 2])
        return values


@cache
def load_rig() -> Rig:
    """The rig of the package's hand, built once per process."""
    mesh = load_hand(ASSETS / "right.glb")
    counts, edges = [len(mesh.vertices)], []
    for _ in range(_SUBDIVISIONS):
        mesh, added = subdivide(mesh)
        edges.append(added)
        counts.append(len(mesh.vertices))
    # Weights too small to see are dropped to save time.
    weights = np.where(mesh.weights > 1e-4, mesh.weights, 0)
    weights /= weights.sum(1, keepdims=True)
    inverse_bind = np.linalg.inv(mesh.bind).astype(np.float64)
    local = mesh.bind.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[joint] = inverse_bind[parent] @ mesh.bind[joint]
    return Rig(
        vertices=mesh.vertices.astype(np.float32),
        normals=vertex_normals(mesh.vertices, mesh.faces).astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        weights=sparse.csr_array(weights.astype(np.float32)),
        edges=tuple(edges),
        counts=tuple(counts),
        bind=mesh.bind,
        inverse_bind=inverse_bind,
        local=local,
        tips=np.stack([_surface_tip(mesh, inverse_bind[tip - 1], tip) for tip in TIPS]),
    )


def _surface_tip(mesh: SkinnedMesh, to_distal: Floats, tip: int) -> Floats:
    """Point where the bone's line leaves the skin: a tip of FreiHAND; WebXR's tips are inside."""
    distal_vertices = mesh.weights[:, tip - 1] > 0.5
    points = mesh.vertices[distal_vertices] @ to_distal[:3, :3].T + to_distal[:3, 3]
    inner = to_distal[:3, :3] @ mesh.bind[tip, :3, 3] + to_distal[:3, 3]
    beside = np.hypot(points[:, 0] - inner[0], points[:, 1] - inner[1])
    return np.array([inner[0], inner[1], points[beside < 0.004, 2].min()])


def rotation_about(axis: int, angle_rad: Floats | float) -> Floats:
    """(..., 3, 3) right-handed rotations about coordinate axis 0, 1 or 2."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*np.shape(angle_rad), 3, 3))
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    matrix[..., axis, axis] = 1
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., first, second] = -sine
    matrix[..., second, first] = sine
    return matrix
