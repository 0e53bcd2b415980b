"""Lifting with a root depth that knows the training set: from the crop's side, or from both.

The paper's closed form (`joints_from_25d`) finds the depth of the root from the predicted length
of one bone in the image. An encoder that is unsure predicts a short bone, and the hand moves far
away. The crop's side alone says more: a hand fills its box, so the side is inversely proportional
to the depth.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.evaluation.features import ViewLabels
from handssl.geometry import joints_from_25d, pixel_rays, root_depth

_MIN_DEPTH_BONES = 1.0
"""Smallest root depth that the closed form may contribute, in bones: some 8 cm."""


def focal_px(intrinsics: Float[Tensor, "n 3 3"]) -> Float[Tensor, " n"]:
    """Focal length of views, pixels, float64: √|det| of a camera's upper left 2 × 2 part.

    It is inversely proportional to the side of the source's crop, and rotations keep it.
    """
    return intrinsics[:, :2, :2].double().det().abs().sqrt()


@dataclass(frozen=True, slots=True, kw_only=True)
class RootDepth:
    """Lifting at a weighted mean of the closed form's root depth and the crop's, in logarithms.

    log Z = w log Z_closed + (1 − w) log Z_crop − b, with Z_crop = ratio × focal length (D24).

    Attributes:
        ratio: Median over the training views of root depth (bones) / focal length (view px).
        weight: w, of the closed form; 0 leaves the depth that the crop's side implies.
        bias: b.
    """

    ratio: float
    weight: float = 0.0
    bias: float = 0.0

    @classmethod
    def of_crops(cls, labels: ViewLabels) -> "RootDepth":
        """From the unaugmented views of the training set; at least one has labels."""
        labels = labels.select(labels.valid.any(1))
        return cls(ratio=float((labels.root_bones / focal_px(labels.intrinsics)).median()))

    def calibrated(
        self, predicted_25d: Float[Tensor, "n 21 3"], labels: ViewLabels
    ) -> "RootDepth":
        """With w and b from predictions for unaugmented training views that the layer did not see.

        With e the error of either log Z, the mean of smallest variance has

            w = (var e_crop − cov) / (var e_closed + var e_crop − 2 cov), clipped to [0, 1],

        and b is the median error of that mean. Without labelled views the crop's depth stays.

        Args:
            predicted_25d: (u px, v px, z_rel) of a layer that was fitted to other groups.
            labels: Of the same views.
        """
        rows = labels.valid.any(1)
        if not rows.any():
            return self
        labels = labels.select(rows)
        truth = labels.root_bones.log()
        closed = _closed_form(predicted_25d[rows], labels.intrinsics).log() - truth
        implied = (self.ratio * focal_px(labels.intrinsics)).log() - truth
        # 2 × 2 moments of both errors; where nothing varies, w is 0.
        moments = torch.cov(torch.stack([closed, implied]), correction=0)
        shared = moments[0, 1]
        spread = (moments.trace() - 2 * shared).clamp_min(torch.finfo(torch.float64).tiny)
        weight = float(((moments[1, 1] - shared) / spread).clamp(0, 1))
        bias = float((weight * closed + (1 - weight) * implied).median())
        return replace(self, weight=weight, bias=bias)

    def __call__(
        self,
        joints_25d: Float[Tensor, "n 21 3"],
        bone_m: Float[Tensor, " n"],
        intrinsics: Float[Tensor, "n 3 3"],
    ) -> Float[Tensor, "n 21 3"]:
        """Joints in metres, as `joints_from_25d`."""
        closed = _closed_form(joints_25d, intrinsics).log()
        implied = (self.ratio * focal_px(intrinsics)).log()
        root = (self.weight * closed + (1 - self.weight) * implied - self.bias).exp()
        return joints_from_25d(joints_25d, bone_m, intrinsics, root=root)


def _closed_form(
    joints_25d: Float[Tensor, "n 21 3"], intrinsics: Float[Tensor, "n 3 3"]
) -> Float[Tensor, " n"]:
    uvz = joints_25d.double()
    rays = pixel_rays(uvz[..., :2], intrinsics)[..., :2]
    return root_depth(rays, uvz[..., 2]).clamp_min(_MIN_DEPTH_BONES)
