"""The mixed objective: each augmentation serves its assigned objective (§4.3 of the paper)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from handssl.augment import Composition
from handssl.errors import require
from handssl.objectives.config import (
    ContrastiveConfig,
    EquivariantConfig,
    MixedConfig,
    ObjectiveConfig,
    RelativeConfig,
)
from handssl.objectives.contrastive import ContrastiveObjective
from handssl.objectives.equivariant import EquivariantObjective
from handssl.objectives.objective import Objective, ObjectiveOutput, PairObjective, ViewPair
from handssl.objectives.relative import RelativeObjective


class MixedObjective(Objective):
    """w · L_contrastive + L_relative, on separate pairs of views or on a shared one.

    separate (released): each objective has its pair with the augmentations assigned to it, and
    all share the encoder. shared (AugSelf): one pair with all augmentations; the contrastive term
    sees all of them, and the relative one predicts those assigned to it. w is a constant, or
    1/σ with a trainable σ and + log σ, as in eq. 3. On a shared pair, augmentations assigned
    equivariant are undone in the contrastive term.
    """

    config: MixedConfig

    def __init__(self, config: MixedConfig, composition: Composition, feature_dim: int) -> None:
        assigned = {objective for view in composition.views for objective in view.objectives}
        require(
            bool(assigned) and None not in assigned,
            "composition must assign an objective to each augmentation for the mixed objective, "
            f'but got composition="{composition}"; write for example '
            '"rotate:relative+color_jitter:contrastive"',
        )
        parts: dict[str, PairObjective] = {}
        if config.mixture == "separate":
            kinds: dict[str, tuple[Callable[..., PairObjective], type[ObjectiveConfig]]] = {
                "contrastive": (ContrastiveObjective, ContrastiveConfig),
                "equivariant": (EquivariantObjective, EquivariantConfig),
                "relative": (RelativeObjective, RelativeConfig),
            }
            for name, (kind, part) in kinds.items():
                if name in assigned:
                    view = composition.restrict(name)
                    parts[name] = kind(config.part(part), view, feature_dim)
            pairs = [objective.pairs[0] for objective in parts.values()]
        else:
            undone = _names(composition, "equivariant")
            if undone:
                parts["equivariant"] = EquivariantObjective(
                    config.part(EquivariantConfig), composition, feature_dim, undone=undone
                )
            else:
                parts["contrastive"] = ContrastiveObjective(
                    config.part(ContrastiveConfig), composition, feature_dim
                )
            if "relative" in assigned:
                parts["relative"] = RelativeObjective(
                    config.part(RelativeConfig), composition.restrict("relative"), feature_dim
                )
            pairs = [composition]
        super().__init__(config, pairs)
        self.parts = nn.ModuleDict(parts)
        self.log_sigma = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in parts if name != "relative"}
            if config.contrastive_weighting == "sigma"
            else {}
        )

    def forward(self, pairs: Sequence[ViewPair]) -> ObjectiveOutput:
        """Loss of one batch; terms: those of the parts, and loss/p and sigma/p of each part p."""
        pairs_of_parts = pairs if len(pairs) == len(self.parts) else [pairs[0]] * len(self.parts)
        loss = pairs[0].features_a.new_zeros((), dtype=torch.float32)
        terms: dict[str, Tensor] = {}
        for (name, part), pair in zip(self.parts.items(), pairs_of_parts, strict=True):
            output: ObjectiveOutput = part([pair])
            terms |= output.terms
            terms[f"loss/{name}"] = output.loss.detach()
            if name == "relative":
                loss = loss + output.loss
            elif name in self.log_sigma:
                log_sigma = self.log_sigma[name]
                loss = loss + output.loss * torch.exp(-log_sigma) + log_sigma
                terms[f"sigma/{name}"] = log_sigma.detach().exp()
            else:
                loss = loss + self.config.contrastive_weight * output.loss
        return ObjectiveOutput(loss=loss, terms=terms)


def _names(composition: Composition, objective: str) -> list[str]:
    return sorted({name for view in composition.views for name in view.restrict(objective).names})
