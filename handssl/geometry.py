"""Camera geometry of hand poses: projection, the 2.5D representation and its inverse, Procrustes.

Image coordinates have pixel centres at integers: the centre of the first pixel is (0, 0).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handssl.errors import ConfigError
from handssl.skeleton import REFERENCE_BONE, WRIST

_MIN_DEPTH_BONES = 1e-3
"""Smallest depth of a joint, in reference bones, however wrong the pose is."""


def project(
    joints_m: Float[Tensor, "batch joints 3"], intrinsics: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch joints 2"]:
    """Pinhole projection of points in the camera frame (m) to pixels (u, v)."""
    homogeneous: Tensor = joints_m @ intrinsics.mT
    return homogeneous[..., :2] / homogeneous[..., 2:]


def transform_points(
    points_px: Float[Tensor, "batch points 2"], matrix: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch points 2"]:
    """Affine map of pixel coordinates: p ↦ A p + b with [A | b] the matrix's first two rows."""
    return points_px @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]


def joints_to_25d(
    joints_m: Float[Tensor, "batch 21 3"], intrinsics: Float[Tensor, "batch 3 3"]
) -> tuple[Float[Tensor, "batch 21 3"], Float[Tensor, " batch"]]:
    """2.5D representation of Iqbal et al. 2018: pixel position and scale-free relative depth.

    z_rel = (Z − Z_wrist) / s, with s the length of the reference bone (wrist to index MCP).

    Args:
        joints_m: Joints in the camera frame, metres.
        intrinsics: Camera matrices of the image in which (u, v) is wanted, pixels.

    Returns:
        (u px, v px, z_rel) per joint, and the bone length s in metres per sample.
    """
    bone_m = (joints_m[:, REFERENCE_BONE[1]] - joints_m[:, REFERENCE_BONE[0]]).norm(dim=-1)
    depth = joints_m[..., 2:] - joints_m[:, WRIST : WRIST + 1, 2:]
    relative = depth / bone_m.clamp_min(torch.finfo(joints_m.dtype).tiny)[:, None, None]
    return torch.cat([project(joints_m, intrinsics), relative], dim=-1), bone_m


def joints_from_25d(
    joints_25d: Float[Tensor, "batch 21 3"],
    bone_m: Float[Tensor, " batch"],
    intrinsics: Float[Tensor, "batch 3 3"],
    *,
    root: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 21 3"]:
    """Inverse of `joints_to_25d`: 3D joints in metres from 2.5D, bone length and camera.

    Joint k lies at (x_k, y_k, 1) · (Z + z_k) in units of the bone, with (x, y, 1) its ray and Z
    the root's depth. The computation runs in float64 and returns the input's type.

    Args:
        joints_25d: (u px, v px, z_rel).
        bone_m: Lengths of the reference bone, metres.
        intrinsics: Camera matrices.
        root: Z in bones, if known better than by `root_depth`.

    Raises:
        ConfigError: If a camera matrix is singular.
    """
    uvz = joints_25d.double()
    rays, z = pixel_rays(uvz[..., :2], intrinsics), uvz[..., 2]
    depth_of_root = root_depth(rays[..., :2], z) if root is None else root.double()
    depth = (depth_of_root[:, None] + z).clamp_min(_MIN_DEPTH_BONES)
    joints_m: Tensor = rays * depth[..., None] * bone_m.double()[:, None, None]
    return joints_m.to(joints_25d.dtype)


def pixel_rays(
    joints_px: Float[Tensor, "batch joints 2"], intrinsics: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch joints 3"]:
    """Rays (x, y, 1) = K⁻¹ (u, v, 1) of pixels, float64.

    Raises:
        ConfigError: If a camera matrix is singular.
    """
    pixels = torch.cat([joints_px, torch.ones_like(joints_px[..., :1])], dim=-1).double()
    rays, failed = torch.linalg.solve_ex(intrinsics.double(), pixels.mT)
    if failed.any():
        index = int(failed.nonzero()[0])
        raise ConfigError(
            "intrinsics must be invertible, but got a singular "
            f"intrinsics={intrinsics[index].tolist()} for sample {index}; check the camera of "
            "that image"
        )
    result: Tensor = rays.mT
    return result


def root_depth(
    rays: Float[Tensor, "batch 21 2"], z: Float[Tensor, "batch 21"]
) -> Float[Tensor, " batch"]:
    """Depth Z of the root in reference bones, from rays (x, y) and relative depths, closed form.

    The reference bone n→m has length one, so Z solves a Z² + b Z + c = 0 with

        a = (x_n − x_m)² + (y_n − y_m)²
        b = 2 [z_n (x_n² + y_n² − x_n x_m − y_n y_m) + z_m (x_m² + y_m² − x_n x_m − y_n y_m)]
        c = (x_n z_n − x_m z_m)² + (y_n z_n − y_m z_m)² + (z_n − z_m)² − 1

    and the larger root lies in front of the camera (Iqbal et al. 2018, eq. 6 and 7). A predicted
    pose may have no real root or a vanishing a (both joints on one ray): the discriminant is
    clamped at 0 and a away from 0, so the result is always finite, though possibly far off.
    """
    n, m = REFERENCE_BONE
    ray_n, ray_m, z_n, z_m = rays[:, n], rays[:, m], z[:, n], z[:, m]
    dot = (ray_n * ray_m).sum(-1)
    a = (ray_n - ray_m).square().sum(-1)
    b = 2 * (z_n * (ray_n.square().sum(-1) - dot) + z_m * (ray_m.square().sum(-1) - dot))
    c = (ray_n * z_n[:, None] - ray_m * z_m[:, None]).square().sum(-1) + (z_n - z_m).square() - 1
    discriminant = (b.square() - 4 * a * c).clamp_min(0)
    root: Tensor = (-b + discriminant.sqrt()) / (2 * a.clamp_min(1e-12))
    return root


def procrustes_align(
    prediction: Float[Tensor, "batch joints 3"],
    target: Float[Tensor, "batch joints 3"],
    valid: Bool[Tensor, "batch joints"] | None = None,
    *,
    allow_reflection: bool = True,
) -> Float[Tensor, "batch joints 3"]:
    """Prediction after the similarity transform (rotation, scale, shift) closest to the target.

    Minimises Σ_k ‖s R p_k + t − q_k‖² over valid joints in closed form (SVD), per sample, the way
    FreiHAND's evaluation does: both sets are centred and brought to unit norm, R comes from the
    orthogonal Procrustes problem and s from its singular values.

    Args:
        prediction: Joints to align.
        target: Joints to align to, in any unit; the result has the same.
        valid: Joints that count; all when omitted. The transform is applied to all of them.
        allow_reflection: FreiHAND's official evaluation leaves R in O(3), so a mirrored hand
            aligns perfectly; False restricts it to rotations (det R = +1) as the paper does.

    Returns:
        Aligned joints. A sample with no valid joint, or whose valid joints coincide, is only
        shifted.
    """
    weight = (
        torch.ones_like(target[..., :1]) if valid is None else valid[..., None].to(target.dtype)
    )
    # Invalid coordinates may be NaN, and 0 · NaN is NaN: they must leave before any sum.
    p = torch.where(weight > 0, prediction, 0.0)
    q = torch.where(weight > 0, target, 0.0)
    count = weight.sum(1, keepdim=True).clamp_min(1)
    p_mean = p.sum(1, keepdim=True) / count
    q_mean = q.sum(1, keepdim=True) / count
    p_centred = ((p - p_mean) * weight).double()
    q_centred = ((q - q_mean) * weight).double()
    u, singular, vh = torch.linalg.svd(q_centred.mT @ p_centred)
    if not allow_reflection:
        sign = torch.linalg.det(u @ vh).sign()
        flip = torch.ones_like(singular)
        flip[:, -1] = torch.where(sign == 0, torch.ones_like(sign), sign)
        u = u * flip[:, None]
        singular = singular * flip
    rotation = u @ vh
    spread = p_centred.square().sum((1, 2))
    tiny = torch.finfo(torch.float32).tiny
    scale = torch.where(spread > tiny, singular.sum(-1) / spread.clamp_min(tiny), 1.0)
    moved: Tensor = (prediction - p_mean).double() @ rotation.mT * scale[:, None, None]
    return moved.to(prediction.dtype) + q_mean
