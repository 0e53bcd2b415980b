"""Lifting with a root depth that knows the training set: from the crop's side, or from both.

The paper's closed form (`joints_from_25d`) finds the depth of the root from the predicted length
of one bone in the image. An encoder that is unsure predicts a short bone, and the hand moves far
away. The crop's side alone says more: a hand fills its box, so the side is inversely proportional
to the depth.
"""

from dataclasses import dataclass

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
class CropDepth:
    """Lifting at the root depth that the crop's side implies: Z = ratio × focal length.

    Attributes:
        ratio: Median over the training views of root depth (bones) / focal length (view px).
    """

    ratio: float

    @classmethod
    def fit(cls, labels: ViewLabels) -> "CropDepth":
        """From the unaugmented views of the training set; at least one has labels."""
        labels = labels.select(labels.valid.any(1))
        return cls(ratio=float((labels.root_bones / focal_px(labels.intrinsics)).median()))

    def root(self, intrinsics: Float[Tensor, "n 3 3"]) -> Float[Tensor, " n"]:
        """Root depth in bones, of views."""
        return self.ratio * focal_px(intrinsics)

    def __call__(
        self,
        joints_25d: Float[Tensor, "n 21 3"],
        bone_m: Float[Tensor, " n"],
        intrinsics: Float[Tensor, "n 3 3"],
    ) -> Float[Tensor, "n 21 3"]:
        """Joints in metres, as `joints_from_25d`."""
        return joints_from_25d(joints_25d, bone_m, intrinsics, root=self.root(intrinsics))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedDepth:
    """Lifting at a weighted mean of the closed form's depth and the crop's, in logarithms.

    log Z = w log Z_closed + (1 − w) log Z_crop − b. With e the error of either log Z on held-out
    training views, the mean of smallest variance has

        w = (var e_crop − cov) / (var e_closed + var e_crop − 2 cov), clipped to [0, 1],

    and b is the median error of that mean.

    Attributes:
        crop: Depth from the crop's side.
        weight: w, of the closed form.
        bias: b.
    """

    crop: CropDepth
    weight: float
    bias: float

    @classmethod
    def fit(
        cls,
        crop: CropDepth,
        predicted_25d: Float[Tensor, "n 21 3"],
        labels: ViewLabels,
    ) -> "CalibratedDepth":
        """From predictions (u px, v px, z_rel) for unaugmented views that the layer did not see.

        Args:
            crop: Fitted to the training set.
            predicted_25d: Predictions of a layer that was fitted to other groups.
            labels: Of the same views; at least one has labels.
        """
        rows = labels.valid.any(1)
        labels = labels.select(rows)
        truth = labels.root_bones.log()
        closed = _closed_form(predicted_25d[rows], labels.intrinsics).log() - truth
        implied = crop.root(labels.intrinsics).log() - truth
        # 2 × 2 moments of the errors; with no spread at all the closed form is as good.
        covariance = torch.cov(torch.stack([closed, implied]))
        shared = covariance[0, 1]
        spread = (covariance.trace() - 2 * shared).clamp_min(torch.finfo(torch.float64).tiny)
        weight = float(((covariance[1, 1] - shared) / spread).clamp(0, 1))
        bias = float((weight * closed + (1 - weight) * implied).median())
        return cls(crop=crop, weight=weight, bias=bias)

    def __call__(
        self,
        joints_25d: Float[Tensor, "n 21 3"],
        bone_m: Float[Tensor, " n"],
        intrinsics: Float[Tensor, "n 3 3"],
    ) -> Float[Tensor, "n 21 3"]:
        """Joints in metres, as `joints_from_25d`."""
        closed, crop = _closed_form(joints_25d, intrinsics).log(), self.crop.root(intrinsics).log()
        root = (self.weight * closed + (1 - self.weight) * crop - self.bias).exp()
        return joints_from_25d(joints_25d, bone_m, intrinsics, root=root)


def _closed_form(
    joints_25d: Float[Tensor, "n 21 3"], intrinsics: Float[Tensor, "n 3 3"]
) -> Float[Tensor, " n"]:
    uvz = joints_25d.double()
    rays = pixel_rays(uvz[..., :2], intrinsics)[..., :2]
    return root_depth(rays, uvz[..., 2]).clamp_min(_MIN_DEPTH_BONES)
