"""The equivariant contrastive objective (PeCLR): projections agree once motion is undone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from handssl.augment import Composition, Parameters, Views
from handssl.errors import require
from handssl.objectives.config import EquivariantConfig
from handssl.objectives.contrastive import ContrastiveObjective
from handssl.objectives.objective import ViewPair


class EquivariantObjective(ContrastiveObjective):
    """NT-Xent on projections read as points in the plane, from which the geometry is undone.

    Colour stays invariant, and scale cancels in the norm.

    Args:
        config: `equivariance` chooses the form, "released" or "exact".
        composition: Augmentations of the views.
        feature_dim: Dimension of the features.
        undone: Names whose motion is undone; all geometric ones when omitted. The exact form knows
            a view's whole motion only.
    """

    config: EquivariantConfig

    def __init__(
        self,
        config: EquivariantConfig,
        composition: Composition,
        feature_dim: int,
        *,
        undone: Sequence[str] | None = None,
    ) -> None:
        super().__init__(config, composition, feature_dim)
        geometric = {change.name for view in composition.views for change in view.geometric}
        require(
            bool(geometric),
            "composition must have a geometric augmentation for the equivariant objective, but "
            f'got composition="{composition}"; add rotate, or set objective.name=contrastive',
        )
        require(
            config.projection_dim % 2 == 0,
            "projection_dim must be even for the equivariant objective, but got "
            f"projection_dim={config.projection_dim}; the paper's is 128, 64 points",
        )
        self.undone = frozenset(geometric if undone is None else undone)
        require(
            config.equivariance == "released" or self.undone == geometric,
            "equivariance must be released where only some geometric augmentations are undone, "
            f"but got equivariance=exact for {', '.join(sorted(self.undone))} out of "
            f"{', '.join(sorted(geometric))}; assign equivariant to all of them",
        )

    def project(
        self, pair: ViewPair
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
        """Projections of both views with their motion undone."""
        z_a, z_b = super().project(pair)
        # Products of pixel coordinates need more than the 8 bits that autocast would leave them.
        with torch.autocast(device_type=z_a.device.type, enabled=False):
            return self._undo(z_a, pair.a), self._undo(z_b, pair.b)

    def _undo(self, z: Float[Tensor, "batch dim"], views: Views) -> Float[Tensor, "batch dim"]:
        if self.config.equivariance == "exact":
            return undo_exact(z, views.parameters, views.matrix)
        return undo_released(z, views.parameters, self.undone)


def undo_released(
    z: Float[Tensor, "batch dim"], parameters: Parameters, names: Sequence[str] | frozenset[str]
) -> Float[Tensor, "batch dim"]:
    """z̃ = R(−θ)(ẑ − t·(max ẑ − min ẑ)), the released form.

    ẑ is z normalised, as D/2 points (x, y). t is the content's displacement in the view as a
    fraction of its side, so minus the crop's shift; the range is that of each image's points, per
    axis; the rotation is about their centroid. Images move points in the opposite order (rotated,
    then shifted), so both motions are undone exactly only as far as the points' range stands for
    the view's side.
    """
    points = nnf.normalize(z.float(), dim=1).reshape(len(z), -1, 2)
    if "translate" in names and "translate" in parameters:
        extent = points.amax(1, keepdim=True) - points.amin(1, keepdim=True)
        points = points + parameters["translate"][:, None] * extent
    if "rotate" in names and "rotate" in parameters:
        angle = parameters["rotate"][:, 0].deg2rad()
        cos, sin = angle.cos(), angle.sin()
        # Counter-clockwise as seen is [[cos, sin], [−sin, cos]] with y down; this is its inverse.
        inverse = torch.stack([cos, -sin, sin, cos], dim=-1).reshape(-1, 2, 2)
        centroid = points.mean(1, keepdim=True)
        points = (points - centroid) @ inverse.mT + centroid
    return points.flatten(1)


def undo_exact(
    z: Float[Tensor, "batch dim"], parameters: Parameters, matrix: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch dim"]:
    """Z as points of the view, brought back to the source by the view's matrix.

    A point q, in fractions of the view's side from its centre, lies at view pixel
    p = (q + 1/2)·size − 1/2 and at A⁻¹ (p − M c) in the source, relative to the hand's centre c,
    with A the linear part of M. z is not normalised first (D13): its length is the distance of
    the points from the view's centre, against which a shift counts. Nothing is lost by the later
    normalisation but the scale.
    """
    z = z.float()
    linear = matrix[:, :2, :2]
    det = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    size = (parameters["side_px"] * det.abs().sqrt())[:, None, None]
    centre = (linear @ parameters["centre_px"][..., None])[..., 0] + matrix[:, :2, 2]
    pixels = (z.reshape(len(z), -1, 2) + 0.5) * size - 0.5
    relative = pixels - centre[:, None]
    # The 2×2 inverse in closed form: a solver would be slower and run in float32 all the same.
    row_0 = torch.stack([linear[:, 1, 1], -linear[:, 0, 1]], dim=-1)
    row_1 = torch.stack([-linear[:, 1, 0], linear[:, 0, 0]], dim=-1)
    inverse = torch.stack([row_0, row_1], dim=1) / det[:, None, None]
    return (relative @ inverse.mT).flatten(1)
