"""The relative objective: features of two views predict their relative parameters (eq. 2, 3)."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.augment import Composition, Regressable, wrap_deg
from handssl.augment.registry import REGRESSABLE
from handssl.distributed import mean_over_workers
from handssl.errors import require
from handssl.objectives.config import RelativeConfig
from handssl.objectives.objective import ObjectiveOutput, PairObjective, ViewPair
from handssl.objectives.targets import regressable_kind, relative_targets


class RelativeHead(nn.Module):
    """g_t(h_i, h_j): concatenation, linear, ReLU, linear: 1024 → 1024 → dim in the paper."""

    def __init__(self, feature_dim: int, target_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * feature_dim, 2 * feature_dim),
            nn.ReLU(),
            nn.Linear(2 * feature_dim, target_dim),
        )

    def forward(
        self, features_i: Float[Tensor, "batch dim"], features_j: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch target_dim"]:
        """Predicted relative parameters of each ordered pair (i, j)."""
        prediction: Tensor = self.layers(torch.cat([features_i, features_j], dim=1))
        return prediction


class RelativeObjective(PairObjective):
    """Σ_t L_t/σ_t + log σ_t over the regressable augmentations t, with σ_t trainable.

    L_t = ‖θ_ij − g_t(h_i, h_j)‖ in the mean over ordered pairs i ≠ j; the released targets use one
    order only. log σ_t is the parameter, from 0.
    """

    config: RelativeConfig

    def __init__(self, config: RelativeConfig, composition: Composition, feature_dim: int) -> None:
        super().__init__(config, composition)
        self.names = composition.regressable
        require(
            bool(self.names),
            f"composition must have one of {', '.join(REGRESSABLE)} for the relative objective, "
            f'but got composition="{composition}"; add one, or set objective.name=contrastive',
        )
        self.standard_deviations = _standard_deviations(composition)
        heads = {name: RelativeHead(feature_dim, self._target_dim(name)) for name in self.names}
        self.heads = nn.ModuleDict(heads)
        self.log_sigma = nn.ParameterDict({n: nn.Parameter(torch.zeros(())) for n in self.names})

    def loss(self, pair: ViewPair) -> ObjectiveOutput:
        """Loss of a pair.

        Terms per augmentation t: relative/t is L_t and sigma/t its σ_t, both in units of the
        target's standard deviation (released: in the target's unit). In physical units there are
        error/t_unit, the mean absolute error of the head, and sigma/t_unit, σ_t converted: _deg
        for rotation, _frac of the crop's side for the shift (released: _px of the source) and
        _ratio for scale, the factor by which the ratio of margins is missed, 1 at best (released:
        _margin, the difference of margins). The jitter's four factors have no unit. (sin, cos)
        targets have no σ in degrees.
        """
        h_i, h_j = pair.features_a, pair.features_b  # (B, D) each
        targets_of = partial(
            relative_targets,
            names=self.names,
            targets=self.config.targets,
            standard_deviations=self.standard_deviations,
            rotation=self.config.rotation,
        )
        targets = targets_of(pair.a.parameters, pair.b.parameters)
        if self.config.targets == "standardised":
            swapped = targets_of(pair.b.parameters, pair.a.parameters)
            # Both orders (i, j) and (j, i): 2B targets.
            targets = {name: torch.cat([one, swapped[name]]) for name, one in targets.items()}
            h_i, h_j = torch.cat([h_i, h_j]), torch.cat([h_j, h_i])
        loss = h_i.new_zeros((), dtype=torch.float32)
        terms = {}
        for name, target in targets.items():
            prediction = self.heads[name](h_i, h_j).float()
            error = mean_over_workers(self._norm(prediction - target))
            log_sigma = self.log_sigma[name]
            loss = loss + error * torch.exp(-log_sigma) + log_sigma
            sigma = log_sigma.detach().exp()
            unit = self._unit(name)
            terms[f"relative/{name}"] = error.detach()
            terms[f"sigma/{name}"] = sigma
            terms[f"error/{name}{unit}"] = self._error(name, prediction.detach(), target)
            if unit and not self._as_sincos(name):
                terms[f"sigma/{name}{unit}"] = _as_ratio(sigma * self._spread(name)[0], unit)
        return ObjectiveOutput(loss=loss, terms=terms)

    def _as_sincos(self, name: str) -> bool:
        return name == "rotate" and self.config.rotation == "sincos"

    def _target_dim(self, name: str) -> int:
        return 2 if self._as_sincos(name) else len(regressable_kind(name).neutral)

    def _norm(self, residual: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
        if self.config.norm == "l1":
            return residual.abs().mean()
        norm: Tensor = residual.norm(dim=1)
        return norm.mean()

    def _unit(self, name: str) -> str:
        """The suffix of terms in physical units."""
        released = self.config.targets == "released"
        scale, shift = ("_margin", "_px") if released else ("_ratio", "_frac")
        return {"rotate": "_deg", "scale": scale, "translate": shift}.get(name, "")

    def _spread(self, name: str) -> tuple[float, ...]:
        """A target of 1 in physical units, by column; scale's is a logarithm."""
        return (1.0,) if self.config.targets == "released" else self.standard_deviations[name]

    def _error(
        self, name: str, prediction: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, ""]:
        """This worker's mean absolute error in physical units."""
        if self._as_sincos(name):
            angles = [torch.atan2(x[:, 0], x[:, 1]).rad2deg() for x in (prediction, target)]
            return wrap_deg(angles[0] - angles[1]).abs().mean()
        error = (prediction - target) * target.new_tensor(self._spread(name))
        error = wrap_deg(error) if name == "rotate" else error
        return _as_ratio(error.abs().mean(), self._unit(name))


def _as_ratio(value: Float[Tensor, ""], unit: str) -> Float[Tensor, ""]:
    """The factor whose logarithm this is, where the unit is a ratio."""
    return value.exp() if unit == "_ratio" else value


def _standard_deviations(composition: Composition) -> dict[str, tuple[float, ...]]:
    """Standard deviations of θ_j − θ_i for the composition's magnitudes; variances of views add.

    Where one view has the neutral parameters, it is the root mean square over both orders.
    """
    deviations: dict[str, tuple[float, ...]] = {}
    for name in composition.regressable:
        of_views = [a for v in composition.views for a in v.augmentations if a.name == name]
        kinds = [a for a in of_views if isinstance(a, Regressable)]
        if len(kinds) == 1:
            deviations[name] = kinds[0].neutral_rms()
        else:
            pairs = zip(*(kind.difference_std() for kind in kinds), strict=True)
            deviations[name] = tuple(((a * a + b * b) / 2) ** 0.5 for a, b in pairs)
    return deviations
