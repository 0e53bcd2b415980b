"""NT-Xent, the contrastive loss of SimCLR (eq. 1 of the study)."""

from typing import Any

import torch
import torch.nn.functional as nnf
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from handssl.errors import ConfigError
from handssl.objectives.gather import gather_rows, mean_over_workers, rank


def nt_xent(
    z_a: Float[Tensor, "batch dim"],
    z_b: Float[Tensor, "batch dim"],
    *,
    temperature: float = 0.5,
    chunk_size: int | None = None,
) -> Float[Tensor, ""]:
    """Mean over the 2N anchors i of −log( exp(s_ij/τ) / Σ_{k≠i} exp(s_ik/τ) ).

    s is the cosine similarity, j the other view of i, and k runs over both views of the whole
    batch, 2N − 2 of them negatives. Eq. 1 of the study sums over the anchors and is read here with
    k≠i in the denominator, as its source SimCLR has it (D3).

    The computation is in float32, also inside autocast, and in the log domain. With several
    workers the negatives come from all of them; the value is that of the joined batch on each
    worker, and the mean of the workers' gradients is the joined batch's gradient.

    Args:
        z_a: Projections of the first views; need not be normalised.
        z_b: Projections of the second views.
        temperature: τ > 0.
        chunk_size: Anchors per block; the memory is then linear in N instead of quadratic. The
            gradient is computed along with the value, so it cannot be differentiated twice.

    Raises:
        ConfigError: τ ≤ 0, chunk_size < 1, shapes that differ, or fewer than two pairs.
    """
    _check(z_a, z_b, temperature, chunk_size)
    with torch.autocast(device_type=z_a.device.type, enabled=False):
        own_a, own_b = nnf.normalize(z_a.float(), dim=1), nnf.normalize(z_b.float(), dim=1)
        keys = torch.cat([gather_rows(own_a), gather_rows(own_b)])
        n, total = len(own_a), len(keys) // 2
        if total < 2:
            raise ConfigError(
                f"batch_size must be >= 2, but got batch_size={total}; a contrastive loss needs "
                "at least one other image as negative"
            )
        index = torch.arange(n, device=keys.device) + rank() * n
        own = torch.cat([index, index + total])
        positive = torch.cat([index + total, index])
        anchors = torch.cat([own_a, own_b])
        if chunk_size is None:
            logits = anchors @ keys.mT / temperature
            logits = logits.scatter(1, own[:, None], float("-inf"))
            loss = nnf.cross_entropy(logits, positive)
        else:
            loss = _Chunked.apply(anchors, keys, own, positive, temperature, chunk_size)
        return mean_over_workers(loss)


class _Chunked(torch.autograd.Function):
    """The same mean, a block of anchors at a time; memory O(chunk · N + N · D)."""

    @staticmethod
    def forward(  # noqa: PLR0917  autograd functions take no keywords
        ctx: Any,
        anchors: Float[Tensor, "anchors dim"],
        keys: Float[Tensor, "keys dim"],
        own: Int[Tensor, " anchors"],
        positive: Int[Tensor, " anchors"],
        temperature: float,
        chunk_size: int,
    ) -> Float[Tensor, ""]:
        with_grad = any(ctx.needs_input_grad)
        grad_anchors = torch.zeros_like(anchors) if with_grad else None
        grad_keys = torch.zeros_like(keys) if with_grad else None
        total = anchors.new_zeros((), dtype=torch.float64)
        for start in range(0, len(anchors), chunk_size):
            rows = slice(start, start + chunk_size)
            block = anchors[rows]
            logits = (block @ keys.mT).div_(temperature)
            logits.scatter_(1, own[rows, None], float("-inf"))
            top = logits.gather(1, positive[rows, None])
            lse = logits.logsumexp(1, keepdim=True)
            total += (lse - top).sum(dtype=torch.float64)
            if grad_anchors is None or grad_keys is None:
                continue
            # ∂loss/∂logits = (softmax − one-hot of the positive) / (number of anchors)
            slope = logits.sub_(lse).exp_()
            slope.scatter_add_(1, positive[rows, None], torch.full_like(top, -1.0))
            grad_anchors[rows] = slope @ keys
            grad_keys.addmm_(slope.mT, block)
        if grad_anchors is not None and grad_keys is not None:
            factor = 1 / (temperature * len(anchors))
            ctx.save_for_backward(grad_anchors.mul_(factor), grad_keys.mul_(factor))
        return (total / len(anchors)).to(anchors.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_anchors, grad_keys = ctx.saved_tensors
        return grad_anchors * grad, grad_keys * grad, None, None, None, None


def _check(z_a: Tensor, z_b: Tensor, temperature: float, chunk_size: int | None) -> None:
    if not temperature > 0:
        raise ConfigError(
            f"temperature must be > 0, but got temperature={temperature}; the study uses 0.5"
        )
    if chunk_size is not None and chunk_size < 1:
        raise ConfigError(
            f"chunk_size must be >= 1 or None, but got chunk_size={chunk_size}; try 512"
        )
    if z_a.shape != z_b.shape:
        raise ConfigError(
            f"z_b must have the shape of z_a {tuple(z_a.shape)}, but got z_b.shape="
            f"{tuple(z_b.shape)}; pass both views of the same images"
        )
