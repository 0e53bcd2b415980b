"""Relative parameters of two views, the targets of the relative objective (eq. 2, hole R1)."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment import AUGMENTATIONS, Regressable
from handssl.augment.registry import REGRESSABLE
from handssl.errors import ConfigError

TARGETS: Final = ("standardised", "released")


def relative_targets(
    parameters_i: Mapping[str, Tensor],
    parameters_j: Mapping[str, Tensor],
    names: Sequence[str],
    *,
    targets: str = "standardised",
    standard_deviations: Mapping[str, Sequence[float]] | None = None,
    rotation: str = "angle",
) -> dict[str, Float[Tensor, "batch dim"]]:
    """Relative parameters per augmentation, in one of two forms.

    standardised: θ_ij = θ_j − θ_i (eq. 2), each column divided by its standard deviation: shift as
    a fraction of each view's crop side, log-ratio of the margins, rotation wrapped to
    (−180°, 180°], differences of h, s, α, β (D1).

    released: the targets of the authors' code, θ_i − θ_j without normalisation: shift in source
    pixels, difference of the margins, rotation modulo 360°, differences of h, s, α, β. Half of its
    rotation targets wrap to nearly 360° and its shift cannot be seen in the view.

    A view that lacks an augmentation which the other has counts as having its neutral parameters:
    no shift, margin 1.25, 0°, and (h, s, α, β) = (1, 1, 1, 0).

    Args:
        parameters_i: Parameters of the first views, each (B, dim), or (B,) for one dimension;
            "released" translation also needs "side_px".
        parameters_j: Parameters of the second views.
        names: Which augmentations.
        targets: "standardised" or "released".
        standard_deviations: One number a column, by name; those of the default magnitudes when
            omitted (`Regressable.difference_std`, `neutral_rms` where one view lacks it).
        rotation: "angle", or "sincos" for (sin θ_ij, cos θ_ij), which are not divided; for
            standardised targets.

    Raises:
        ConfigError: An unknown form, a name that cannot be regressed, or that neither view has.

    Example:
        >>> i = {"rotate": torch.tensor([170.0])}
        >>> j = {"rotate": torch.tensor([-170.0])}
        >>> relative_targets(i, j, ["rotate"], standard_deviations={"rotate": [10.0]})
        {'rotate': tensor([[2.]])}
        >>> relative_targets(i, j, ["rotate"], targets="released")
        {'rotate': tensor([[340.]])}
    """
    if targets not in TARGETS:
        raise ConfigError(
            f'targets must be one of {", ".join(TARGETS)}, but got targets="{targets}"'
        )
    result = {}
    for name in names:
        kind = regressable_kind(name)
        theta_i, theta_j, shared = _both(parameters_i, parameters_j, name)
        if targets == "released":
            if name == "translate":
                theta_i = theta_i * _column(parameters_i, "side_px")
                theta_j = theta_j * _column(parameters_j, "side_px")
            difference = theta_i - theta_j
            result[name] = difference.remainder(360) if name == "rotate" else difference
            continue
        difference = kind.difference(theta_i, theta_j)
        if name == "rotate" and rotation == "sincos":
            radians = difference.deg2rad()
            result[name] = torch.cat([radians.sin(), radians.cos()], dim=1)
            continue
        default = kind().difference_std if shared else kind().neutral_rms
        std = default() if standard_deviations is None else standard_deviations[name]
        # A magnitude that never varies has nothing to standardise: its difference is 0.
        divisor = theta_i.new_tensor([value if value > 0 else 1.0 for value in std])
        result[name] = difference / divisor
    return result


def regressable_kind(name: str) -> type[Regressable]:
    """The class of a regressable augmentation.

    Raises:
        ConfigError: Any other name.
    """
    kind = AUGMENTATIONS.get(name)
    if kind is None or not issubclass(kind, Regressable):
        raise ConfigError(
            f"names must be among {', '.join(REGRESSABLE)} for the relative objective, but got "
            f'"{name}"; the parameters of the others are ambiguous'
        )
    return kind


def _both(
    parameters_i: Mapping[str, Tensor], parameters_j: Mapping[str, Tensor], name: str
) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"], bool]:
    """θ_i and θ_j, the neutral ones where a view lacks them, and whether both views have them."""
    if name in parameters_i and name in parameters_j:
        return _column(parameters_i, name), _column(parameters_j, name), True
    theta = _column(parameters_i if name in parameters_i else parameters_j, name)
    neutral = theta.new_tensor(regressable_kind(name).neutral).expand_as(theta)
    return (theta, neutral, False) if name in parameters_i else (neutral, theta, False)


def _column(parameters: Mapping[str, Tensor], name: str) -> Float[Tensor, "batch dim"]:
    if name not in parameters:
        raise ConfigError(
            f"parameters must have the key {name}, but got keys {', '.join(sorted(parameters))}; "
            "pass the parameters that make_views returned"
        )
    value = parameters[name]
    value = value if value.is_floating_point() else value.to(torch.float32)
    return value[:, None] if value.ndim == 1 else value
