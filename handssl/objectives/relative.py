"""The relative objective: features of two views tell how one became the other (eq. 2 and 3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.augment import AUGMENTATIONS, Composition, Parameters, Regressable, wrap_deg
from handssl.errors import ConfigError
from handssl.objectives.gather import mean_over_workers
from handssl.objectives.heads import RelativeHead
from handssl.objectives.objective import Objective, ObjectiveConfig, ObjectiveOutput, ViewPair
from handssl.objectives.targets import regressable_kind, relative_targets

__all__ = ["RelativeObjective"]


class RelativeObjective(Objective):
    """Σ_t L_t/σ_t + log σ_t over the regressable augmentations t, with σ_t trainable.

    L_t = ‖θ_ij − g_t(h_i, h_j)‖ in the mean over ordered pairs i ≠ j; the released targets use one
    order only. log σ_t is the parameter, from 0.
    """

    def __init__(
        self, config: ObjectiveConfig, composition: Composition, feature_dim: int
    ) -> None:
        super().__init__(config, [composition])
        self.names = composition.regressable
        if not self.names:
            able = [name for name, kind in AUGMENTATIONS.items() if issubclass(kind, Regressable)]
            raise ConfigError(
                f"composition must have one of {', '.join(able)} in both views for the relative "
                f'objective, but got composition="{composition}"; add one, or set '
                "objective.name=contrastive"
            )
        self.standard_deviations = _standard_deviations(composition)
        self.heads = nn.ModuleDict(
            {name: RelativeHead(feature_dim, self._target_dim(name)) for name in self.names}
        )
        self.log_sigma = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in self.names}
        )

    def forward(self, pairs: Sequence[ViewPair]) -> ObjectiveOutput:
        """Loss of one pair.

        Terms per augmentation: relative/t (L_t), sigma/t, and error/t_unit, the mean absolute
        error in degrees, fractions of the crop's side (released: source pixels) or the jitter's
        own units; scale's is the mean factor by which the ratio of margins is missed, 1 at best
        (released: the mean absolute difference of margins).
        """
        (pair,) = pairs
        h_i, h_j = pair.features_a, pair.features_b
        targets = self._targets(pair.views_a, pair.views_b)
        if self.config.targets == "standardised":
            swapped = self._targets(pair.views_b, pair.views_a)
            targets = {name: torch.cat([own, swapped[name]]) for name, own in targets.items()}
            h_i, h_j = torch.cat([h_i, h_j]), torch.cat([h_j, h_i])
        loss = h_i.new_zeros((), dtype=torch.float32)
        terms = {}
        for name, target in targets.items():
            prediction = self.heads[name](h_i, h_j).float()
            own = mean_over_workers(self._norm(prediction - target))
            log_sigma = self.log_sigma[name]
            loss = loss + own * torch.exp(-log_sigma) + log_sigma
            terms[f"relative/{name}"] = own.detach()
            terms[f"sigma/{name}"] = log_sigma.detach().exp()
            unit, error = self._physical_error(name, prediction.detach(), target)
            terms[f"error/{name}{unit}"] = error
        return ObjectiveOutput(loss=loss, terms=terms)

    def _target_dim(self, name: str) -> int:
        if name == "rotate" and self.config.rotation == "sincos":
            return 2
        return len(regressable_kind(name).regressed)

    def _targets(
        self, views_i: Parameters, views_j: Parameters
    ) -> dict[str, Float[Tensor, "batch dim"]]:
        return relative_targets(
            views_i,
            views_j,
            self.names,
            targets=self.config.targets,
            standard_deviations=self.standard_deviations,
            rotation=self.config.rotation,
        )

    def _norm(self, residual: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
        if self.config.norm == "l1":
            return residual.abs().mean()
        norm: Tensor = residual.norm(dim=1)
        return norm.mean()

    def _physical_error(
        self,
        name: str,
        prediction: Float[Tensor, "batch dim"],
        target: Float[Tensor, "batch dim"],
    ) -> tuple[str, Float[Tensor, ""]]:
        """The suffix that names the unit, and this worker's mean absolute error in it."""
        released = self.config.targets == "released"
        if name == "rotate" and self.config.rotation == "sincos":
            angles = [torch.atan2(own[:, 0], own[:, 1]).rad2deg() for own in (prediction, target)]
            return "_deg", wrap_deg(angles[0] - angles[1]).abs().mean()
        spread = [1.0] if released else self.standard_deviations[name]
        error = (prediction - target) * target.new_tensor(spread)
        if name == "rotate":
            return "_deg", wrap_deg(error).abs().mean()
        if name == "scale":
            return (
                ("_margin", error.abs().mean())
                if released
                else (
                    "_ratio",
                    error.abs().mean().exp(),
                )
            )
        if name == "translate":
            return ("_px" if released else "_frac"), error.abs().mean()
        return "", error.abs().mean()


def _standard_deviations(composition: Composition) -> dict[str, tuple[float, ...]]:
    """Of θ_j − θ_i for the composition's own magnitudes; the variances of both views add."""
    by_name = [
        {
            own.name: own.difference_std()
            for own in view.augmentations
            if isinstance(own, Regressable)
        }
        for view in composition.views
    ]
    return {
        name: tuple(
            ((a * a + b * b) / 2) ** 0.5
            for a, b in zip(by_name[0][name], by_name[1][name], strict=True)
        )
        for name in composition.regressable
    }
