"""Colour jitter in HSV."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from handssl.augment.augmentation import Appearance, Regressable, uniform_between

_EPSILON: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorJitter(Appearance, Regressable):
    """Hue × h, saturation × s and value × α + β, each factor uniform, value clipped to [0, 1].

    The released ranges are the defaults: h and s in [0.01, 1], α in [0.5, 1], β in [5, 20]/255.
    Hue is an angle in [0°, 360°) that is multiplied, not shifted, as in the released code, where
    it has 180 levels (D11). β is in units of the full range (D14).
    """

    name: ClassVar[str] = "color_jitter"
    symbol: ClassVar[str] = "CJ"
    columns: ClassVar[tuple[str, ...]] = ("h", "s", "alpha", "beta")
    neutral: ClassVar[tuple[float, ...]] = (1.0, 1.0, 1.0, 0.0)
    worth_compiling: ClassVar[bool] = True

    min_hue: Annotated[float, Ge(0), Le(1)] = 0.01
    max_hue: Annotated[float, Ge(0), Le(1)] = 1.0
    min_saturation: Annotated[float, Ge(0), Le(1)] = 0.01
    max_saturation: Annotated[float, Ge(0), Le(1)] = 1.0
    min_alpha: Annotated[float, Ge(0), Le(2)] = 0.5
    max_alpha: Annotated[float, Ge(0), Le(2)] = 1.0
    min_beta: Annotated[float, Ge(0), Le(1)] = 5 / 255
    max_beta: Annotated[float, Ge(0), Le(1)] = 20 / 255

    def _ranges(self) -> tuple[tuple[float, float], ...]:
        return (
            (self.min_hue, self.max_hue),
            (self.min_saturation, self.max_saturation),
            (self.min_alpha, self.max_alpha),
            (self.min_beta, self.max_beta),
        )

    def sample(self, uniforms: Float[Tensor, "batch 4"]) -> Float[Tensor, "batch 4"]:
        """(h, s, α, β)."""
        columns = [
            uniform_between(uniforms[:, k], low, high)
            for k, (low, high) in enumerate(self._ranges())
        ]
        return torch.stack(columns, dim=-1)

    def apply(
        self, images: Float[Tensor, "batch 3 height width"], values: Float[Tensor, "batch 4"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """RGB → HSV → RGB without a branch, so that it runs as some 40 passes over one plane.

        With M and m the largest and smallest channel and C = M − m, the hue in sextants is
        d = 1 + (G + B − R − m)/C where G ≥ B and 6 − d where G < B, that is
        3 − copysign(3 − d, G − B); d is exact in all six sextants, and hue 0 stands for C = 0.
        Back, with V the new value and c the new chroma, red is V − 2c + c·clamp(|h − 3|, 1, 2),
        green V + c − c·clamp(|h − 2|, 1, 2) and blue the same with |h − 4|.
        """
        # Factors (B, 1, 1) each; channels, and all planes below, are (B, height, width).
        factors = values.to(images)[:, :, None, None]
        hue_factor, saturation, alpha, beta = factors.unbind(1)
        red, green, blue = images.unbind(1)
        green_blue_max, green_blue_min = torch.maximum(green, blue), torch.minimum(green, blue)
        # M, m and C; the planes of max(G, B) and min(G, B) are free afterwards.
        value = torch.maximum(red, green_blue_max)
        low = torch.minimum(red, green_blue_min)
        chroma = value - low
        # d − 3 is (R + m − G − B)/C + 2, negated where G ≥ B; times the factor, plus 3 · factor.
        hue = torch.add(red, low, out=green_blue_max).sub_(green).sub_(blue)
        hue.div_(torch.clamp_min(chroma, _EPSILON, out=green_blue_min)).add_(2)
        hue.copysign_(torch.sub(green, blue, out=low)).mul_(-hue_factor).add_(3 * hue_factor)

        # New value V = clamp(α M + β), new chroma c = s · C / M · V.
        new_value = torch.mul(value, alpha).add_(beta).clamp_(0, 1)
        chroma.mul_(saturation).div_(value.clamp_min_(_EPSILON)).mul_(new_value)
        # summit V + c and base V − 2c, then the three channels, written over the input.
        summit = torch.add(new_value, chroma)
        base = new_value.sub_(chroma, alpha=2)
        weight = low
        torch.sub(hue, 3, out=weight).abs_().clamp_(1, 2)
        torch.addcmul(base, chroma, weight, out=red)
        torch.sub(hue, 2, out=weight).abs_().clamp_(1, 2)
        torch.addcmul(summit, chroma, weight, value=-1, out=green)
        torch.sub(hue, 4, out=weight).abs_().clamp_(1, 2)
        torch.addcmul(summit, chroma, weight, value=-1, out=blue)
        return images.clamp_(0, 1)

    def difference_std(self) -> tuple[float, ...]:
        """√2 · (high − low)/√12 per column."""
        return tuple((high - low) / math.sqrt(6) for low, high in self._ranges())

    def neutral_rms(self) -> tuple[float, ...]:
        """√((high − low)²/12 + (mean − neutral)²) per column."""
        return tuple(
            math.hypot((high - low) / math.sqrt(12), (low + high) / 2 - neutral)
            for (low, high), neutral in zip(self._ranges(), self.neutral, strict=True)
        )
