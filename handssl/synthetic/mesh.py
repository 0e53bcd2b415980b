"""The skinned right hand as a mesh: read from the package's GLB, given a forearm, subdivided.

The mesh is in the hand's frame: origin at the wrist joint, x to the right (the thumb is at −x),
y out of the back of the hand, −z along the fingers, metres.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pygltflib import GLTF2, Accessor
from scipy import sparse

from handssl.skeleton import FINGERS
from handssl.synthetic.arrays import Floats, Ints

_PHALANGES: Final = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal")
RIG_JOINTS: Final = (
    "wrist",
    *(f"thumb-{part}" for part in ("metacarpal", "phalanx-proximal", "phalanx-distal", "tip")),
    *(
        f"{finger}-finger-{part}"
        for finger in FINGERS[1:]
        for part in ("metacarpal", *_PHALANGES, "tip")
    ),
    "forearm",
)
"""WebXR's 25 joints, each finger from its base to its tip, and one for the forearm."""

_COMPONENTS: Final = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

_CUT_Z_M: Final = 0.012
"""The mesh ends in a short stump; it is cut here, and the forearm continues from the cut."""

_RINGS_Z_M: Final = (*np.arange(0.020, 0.156, 0.015), *np.arange(0.180, 0.75, 0.070))
_FOREARM_BLEND_M: Final = (-0.015, 0.025)
"""Between these z the weight of the wrist passes to the forearm joint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinnedMesh:
    """A triangle mesh bound to joints.

    Attributes:
        vertices: (n, 3) rest positions, metres.
        faces: (m, 3) vertex indices, counter-clockwise seen from outside.
        weights: (n, 26) share of each joint in a vertex, rows sum to 1; columns as `RIG_JOINTS`.
        bind: (26, 4, 4) rest transforms joint frame → hand frame. In a joint's frame −z runs
            along its bone, +y points dorsally, and flexion turns about −x.
    """

    vertices: Floats
    faces: Ints
    weights: Floats
    bind: Floats


def load_hand(path: Path) -> SkinnedMesh:
    """Read the GLB, weld its seams, move it to the wrist's frame and attach a forearm."""
    gltf = GLTF2().load_binary(str(path))
    blob = gltf.binary_blob()
    attributes = gltf.meshes[0].primitives[0].attributes
    skin = gltf.skins[0]

    def read(index: int) -> Floats:
        accessor: Accessor = gltf.accessors[index]
        width = _WIDTHS[accessor.type]
        view = gltf.bufferViews[accessor.bufferView]
        offset = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        flat = np.frombuffer(
            blob, _COMPONENTS[accessor.componentType], accessor.count * width, offset
        )
        return flat.reshape(accessor.count, width).astype(np.float64)

    vertices = read(attributes.POSITION)
    faces = read(gltf.meshes[0].primitives[0].indices).astype(np.int64).reshape(-1, 3)
    names = [gltf.nodes[node].name for node in skin.joints]
    weights = np.zeros((len(vertices), len(names)))
    rows = np.arange(len(vertices))[:, None]
    joints, shares = read(attributes.JOINTS_0).astype(np.int64), read(attributes.WEIGHTS_0)
    np.add.at(weights, (rows, joints), shares / shares.sum(1, keepdims=True))
    bind = np.linalg.inv(read(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1))

    _, first_index, merged = np.unique(
        vertices.round(6), axis=0, return_index=True, return_inverse=True
    )
    order = [names.index(name) for name in RIG_JOINTS[:-1]]
    to_wrist = np.linalg.inv(bind[order[0]])
    mesh = SkinnedMesh(
        vertices=vertices[first_index] @ to_wrist[:3, :3].T + to_wrist[:3, 3],
        faces=merged.reshape(-1)[faces],
        weights=np.pad(weights[first_index][:, order], ((0, 0), (0, 1))),
        bind=np.concatenate([to_wrist @ bind[order], np.eye(4)[None]]),
    )
    return _with_forearm(mesh)


def _with_forearm(mesh: SkinnedMesh) -> SkinnedMesh:
    """Cut the stump behind the wrist and extrude the cut into a tapered, capped forearm."""
    faces = mesh.faces[(mesh.vertices[mesh.faces, 2] < _CUT_Z_M).all(1)]
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    vertices = mesh.vertices[used]
    rim = _boundary_loop(faces)
    count, centre = len(rim), vertices[rim].mean(0)
    offset = vertices[rim] - centre
    angle = np.arctan2(offset[:, 1], offset[:, 0])
    half_width, half_height = np.abs(offset[:, :2]).max(0)

    rings = []
    for z in _RINGS_Z_M:
        # From the outline of the cut to an ellipse within 3 cm, thicker towards the elbow.
        blend = smooth_step((z - _CUT_Z_M) / 0.03)
        growth = 1 + 0.42 * np.clip((z - 0.02) / 0.2, 0, 1) ** 1.2
        width, height = half_width * growth, half_height * (0.95 + 0.25 * min(z / 0.2, 1)) * growth
        ellipse = np.stack([width * np.cos(angle), height * np.sin(angle)], 1)
        outline = (1 - blend) * offset[:, :2] + blend * ellipse
        depth = z + (1 - blend) * offset[:, 2:]
        rings.append(np.concatenate([centre[:2] + outline, depth], 1))
    tip = np.array([[centre[0], centre[1], _RINGS_Z_M[-1] + 0.02]])

    # Every ring, the cut's rim first, is joined to the next by two triangles a side.
    index = np.concatenate(
        [rim[None], len(vertices) + np.arange(len(rings) * count).reshape(-1, count)]
    )
    lower, upper = index[:-1], index[1:]
    lower_next, upper_next = np.roll(lower, -1, 1), np.roll(upper, -1, 1)
    apex = np.full(count, len(vertices) + len(rings) * count)
    faces = np.concatenate(
        [
            faces,
            np.stack([lower_next, lower, upper], -1).reshape(-1, 3),
            np.stack([lower_next, upper, upper_next], -1).reshape(-1, 3),
            np.stack([apex, np.roll(index[-1], -1), index[-1]], -1),
        ]
    )
    weights = np.zeros((len(rings) * count + 1, len(RIG_JOINTS)))
    weights[:, 0] = 1
    vertices = np.concatenate([vertices, *rings, tip])
    weights = np.concatenate([mesh.weights[used], weights])
    start, end = _FOREARM_BLEND_M
    share = smooth_step((vertices[:, 2] - start) / (end - start))
    weights[:, -1] = weights[:, 0] * share
    weights[:, 0] *= 1 - share
    return SkinnedMesh(vertices=vertices, faces=faces, weights=weights, bind=mesh.bind)


def _boundary_loop(faces: Ints) -> Ints:
    """The mesh's one open edge as a cycle of vertices, in the direction of its faces."""
    edges = {
        (int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)
    }
    follow = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(follow)]
    while (vertex := follow[loop[-1]]) != loop[0]:
        loop.append(vertex)
    return np.array(loop)


def smooth_step(x: Any) -> Any:
    """3x² − 2x³ of a number or an array, with x clipped to [0, 1]."""
    clipped = np.clip(x, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def subdivide(mesh: SkinnedMesh) -> tuple[SkinnedMesh, Ints]:
    """One step of Loop's subdivision, of positions and weights alike.

    Returns:
        The finer mesh, with the moved old vertices first, then one per edge; and (e, 2) the old
        vertices of these edges.
    """
    count, faces = len(mesh.vertices), mesh.faces
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, inverse = np.unique(np.sort(directed, 1), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    opposite = faces[:, [2, 0, 1]].T.reshape(-1)

    number = np.arange(len(edges))
    end_points = sparse.coo_matrix(
        (np.full(2 * len(edges), 3 / 8), (np.tile(number, 2), edges.T.reshape(-1))),
        (len(edges), count),
    )
    wings = sparse.coo_matrix(
        (np.full(len(inverse), 1 / 8), (inverse, opposite)), (len(edges), count)
    )
    both = np.concatenate([edges, edges[:, ::-1]])
    adjacent = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), (count, count))
    valence = np.asarray(adjacent.sum(1)).reshape(-1)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / valence) / 4) ** 2) / valence
    moved = sparse.diags(1 - valence * beta) + sparse.diags(beta) @ adjacent
    operator = sparse.vstack([moved, (end_points + wings)]).tocsr()

    a, b, c = (count + inverse).reshape(3, -1)
    finer = np.concatenate(
        [
            np.stack([faces[:, 0], a, c], 1),
            np.stack([faces[:, 1], b, a], 1),
            np.stack([faces[:, 2], c, b], 1),
            np.stack([a, b, c], 1),
        ]
    )
    weights = np.maximum(operator @ mesh.weights, 0)
    fine = SkinnedMesh(
        vertices=operator @ mesh.vertices,
        faces=finer,
        weights=weights / weights.sum(1, keepdims=True),
        bind=mesh.bind,
    )
    return fine, edges


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Outward unit normals, each the area-weighted mean of its faces'."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, corner], face_normals[:, axis], len(vertices))
    unit: Floats = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return unit
