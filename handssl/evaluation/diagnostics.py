"""Diagnostics of features beside the pose: invariance, equivariance, and rank.

They need a few hundred views of validation images, a few per cent of the time of a quick trial.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from handssl.augment import AUGMENTATIONS, Composition, Regressable
from handssl.checked import check_fields
from handssl.data import Store
from handssl.encoders import Encoder
from handssl.evaluation.features import LabelledFeatures, extract_features
from handssl.evaluation.ridge import fit_ridge
from handssl.training.randomness import stream

_FOLDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticsConfig:
    """Settings of the diagnostics.

    Attributes:
        augmentations: Names; each has an invariance and, if regressable, equivariance.
        images: Largest number of images.
        size_px: Side of a view; that of pretraining.
        batch_size: Images of one forward pass.
    """

    augmentations: tuple[str, ...] = ("translate", "scale", "color_jitter", "rotate")
    images: Annotated[int, Ge(16)] = 192
    size_px: Annotated[int, Ge(16)] = 128
    batch_size: Annotated[int, Ge(1)] = 256

    def __post_init__(self) -> None:
        for name in self.augmentations:
            Composition.parse(name)
        check_fields(self, "diagnostics.")


def diagnosed(config: DiagnosticsConfig, *, images: int | None = None) -> tuple[str, ...]:
    """Keys of `diagnose` for a store of so many images; of enough, if omitted.

    Example:
        >>> diagnosed(DiagnosticsConfig(augmentations=("rotate",)))
        ('invariance/rotate', 'equivariance/rotate', 'rankme')
    """
    folds = images is None or images >= 2 * _FOLDS
    names = [
        f"{kind}/{name}"
        for name in config.augmentations
        for kind in ("invariance", "equivariance")
        if kind == "invariance" or (folds and issubclass(AUGMENTATIONS[name], Regressable))
    ]
    return (*names, "rankme")


def diagnose(
    encoder: Encoder,
    store: Store,
    config: DiagnosticsConfig,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> dict[str, float]:
    """Diagnostics of an encoder on a store's first images.

    Augmentations have their released magnitudes for every encoder, so that encoders compare.

    Returns:
        `invariance/<name>` (mean cosine similarity of centred features of the plain view and one
        that differs in that augmentation alone), `equivariance/<name>` (held-out R² of the
        regression of their relative parameters; regressable augmentations only, and only with at
        least 6 images) and `rankme`.
    """
    encoder = encoder.to(torch.device(device))
    store = store.select(np.arange(min(config.images, len(store))))

    def encode(composition: str) -> LabelledFeatures:
        return extract_features(
            encoder,
            store,
            Composition.parse(composition),
            stream(seed, "diagnostics", composition),
            size_px=config.size_px,
            device=torch.device(device),
            batch_size=config.batch_size,
        )

    plain = encode("").features
    names = diagnosed(config, images=len(plain))
    results: dict[str, float] = {}
    for name in config.augmentations:
        views = encode(name)
        results[f"invariance/{name}"] = invariance(plain, views.features, plain.mean(0))
        if f"equivariance/{name}" in names:
            results[f"equivariance/{name}"] = relative_r2(
                plain, views.features, views.parameters[name]
            )
    results["rankme"] = rank_me(plain)
    return results


def invariance(
    a: Float[Tensor, "n feature"], b: Float[Tensor, "n feature"], mean: Float[Tensor, " feature"]
) -> float:
    """Mean cosine similarity of features about their mean: 1 invariant, 0 unrelated.

    Features after a ReLU are positive and would all look alike without the mean taken off. Where
    features do not vary at all the result is 0.
    """
    a, b = a.double() - mean, b.double() - mean
    return float(torch.nn.functional.cosine_similarity(a, b).mean())


def relative_r2(
    a: Float[Tensor, "n feature"], b: Float[Tensor, "n feature"], targets: Float[Tensor, "n dim"]
) -> float:
    """R² on held-out pairs of a ridge regression from both views' features to their targets.

    R² = 1 − Σ (θ − θ̂)² / Σ (θ − θ̄)² in the mean over dimensions; it is at most 1, and 0 or less
    where the features predict nothing. Each third of the pairs is predicted by a fit to the rest,
    and θ̄ is the mean of these. Targets are drawn for every pair anew, so pairs of the same pose
    are independent.
    """
    x, y = torch.cat([a, b], dim=1), targets.double()
    fold = torch.arange(len(x)) % _FOLDS
    residual, spread = torch.zeros(2, y.shape[1], dtype=torch.float64)
    for index in range(_FOLDS):
        tested, fitted = fold == index, fold != index
        inner = torch.arange(int(fitted.sum())) % 4 == 0
        prediction = fit_ridge(x[fitted], y[fitted], inner)(x[tested])
        residual += (y[tested] - prediction).square().sum(0)
        spread += (y[tested] - y[fitted].mean(0)).square().sum(0)
    return float((1 - residual / spread).mean())


def rank_me(features: Float[Tensor, "n feature"]) -> float:
    """Effective rank exp(−Σ p log p) with p the normalised singular values (RankMe, 2023)."""
    singular = torch.linalg.svdvals(features.double())
    share = singular / singular.sum().clamp_min(torch.finfo(torch.float64).tiny)
    return float(torch.special.entr(share).sum().exp())
