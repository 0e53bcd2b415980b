"""A small network that corrects the root depth of the closed form."""

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handssl.geometry import pixel_rays, root_depth
from handssl.skeleton import NUM_JOINTS, WRIST

_HIDDEN: Final = 128
_NEAREST_BONES: Final = 1.0
_FARTHEST_BONES: Final = 50.0
"""Bounds of the first guess, some 0.1 m to 5 m: a wrong pose may put the hand anywhere."""


class RootRefiner(nn.Module):
    """Z_refined = Z + MLP(z_rel, K⁻¹ (u, v), Z), in reference bones (Spurr et al. 2020, § 3).

    Z is the closed form's root depth, which small errors of two joints can throw far off; the
    network sees all joints. Its shape is that of the authors' later release: two hidden layers of
    128 with batch norm and leaky ReLU. A new one returns Z itself, within bounds.

    The poses that it reads carry no gradient into the network that predicted them (D23).
    """

    def __init__(self) -> None:
        super().__init__()
        output = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(output.weight)
        self.layers = nn.Sequential(
            nn.Linear(3 * NUM_JOINTS + 1, _HIDDEN),
            nn.BatchNorm1d(_HIDDEN),
            nn.LeakyReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.BatchNorm1d(_HIDDEN),
            nn.LeakyReLU(),
            output,
        )

    def forward(
        self, joints_25d: Float[Tensor, "batch 21 3"], intrinsics: Float[Tensor, "batch 3 3"]
    ) -> Float[Tensor, " batch"]:
        """Depth of the root in bones, from predicted (u px, v px, z_rel) and their camera."""
        uvz = joints_25d.detach().double()
        rays, z = pixel_rays(uvz[..., :2], intrinsics)[..., :2], uvz[..., 2]
        guess = root_depth(rays, z).clamp(_NEAREST_BONES, _FARTHEST_BONES)
        known = torch.cat([z, rays.flatten(1), guess[:, None]], dim=1)
        correction: Tensor = self.layers(known.to(next(self.parameters()))).squeeze(1)
        return guess.to(correction) + correction


def root_loss(
    root: Float[Tensor, " batch"], target: Float[Tensor, " batch"], valid: Bool[Tensor, "batch 21"]
) -> Float[Tensor, ""]:
    """Mean |ΔZ| in bones over the samples whose wrist is labelled; 0 without such samples."""
    counts = valid[:, WRIST]
    difference = torch.where(counts, root - target, 0.0).abs()
    return difference.sum() / counts.sum().clamp_min(1)
