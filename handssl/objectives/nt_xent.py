"""NT-Xent, the contrastive loss of SimCLR (eq. 1 of the paper)."""

from typing import Any

import torch
import torch.nn.functional as nnf
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from handssl import distributed
from handssl.distributed import gather_rows, mean_over_workers
from handssl.errors import require


def nt_xent(
    z_a: Float[Tensor, "batch dim"],
    z_b: Float[Tensor, "batch dim"],
    *,
    temperature: float = 0.5,
    chunk_size: int | None = None,
) -> Float[Tensor, ""]:
    """Mean over the 2N anchors i of −log( exp(s_ij/τ) / Σ_{k≠i} exp(s_ik/τ) ).

    s is the cosine similarity, j the other view of i, and k runs over both views of the whole
    batch, 2N − 2 of them negatives. Eq. 1 of the paper sums over the anchors and is read here with
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

    Example:
        >>> z = torch.eye(4)
        >>> round(nt_xent(z, z, temperature=1.0).item(), 4)  # −log(e / (e + 6))
        1.1654
    """
    require(
        temperature > 0,
        f"temperature must be > 0, but got temperature={temperature}; the paper uses 0.5",
    )
    require(
        chunk_size is None or chunk_size >= 1,
        f"chunk_size must be >= 1 or None, but got chunk_size={chunk_size}; try 512",
    )
    require(
        z_a.shape == z_b.shape,
        f"z_b must have the shape of z_a, {tuple(z_a.shape)}, but got z_b.shape="
        f"{tuple(z_b.shape)}; pass both views of the same images",
    )
    with torch.autocast(device_type=z_a.device.type, enabled=False):
        unit_a, unit_b = nnf.normalize(z_a.float(), dim=1), nnf.normalize(z_b.float(), dim=1)
        # Anchors are this worker's n images, keys the N = total images of all workers:
        # anchors (2n, D), keys (2N, D), first all first views, then all second ones.
        anchors = torch.cat([unit_a, unit_b])
        keys = torch.cat([gather_rows(unit_a), gather_rows(unit_b)])
        n, total = len(unit_a), len(keys) // 2
        require(
            total >= 2,
            f"batch_size must be >= 2, but got batch_size={total}; another image is the negative",
        )
        # (2n,) column of the anchor itself, which is no negative, and of its other view.
        index = torch.arange(n, device=keys.device) + distributed.rank() * n
        anchor_index = torch.cat([index, index + total])
        labels = torch.cat([index + total, index])
        if chunk_size is None:
            logits = anchors @ keys.mT / temperature  # (2n, 2N)
            logits = logits.scatter(1, anchor_index[:, None], float("-inf"))
            loss = nnf.cross_entropy(logits, labels)
        else:
            loss = _Chunked.apply(anchors, keys, anchor_index, labels, temperature, chunk_size)
        return mean_over_workers(loss)


class _Chunked(torch.autograd.Function):
    """The same mean, a block of anchors at a time; memory O(chunk · N + N · D)."""

    @staticmethod
    def forward(  # noqa: PLR0917  autograd functions take no keywords
        ctx: Any,
        anchors: Float[Tensor, "anchors dim"],
        keys: Float[Tensor, "keys dim"],
        anchor_index: Int[Tensor, " anchors"],
        labels: Int[Tensor, " anchors"],
        temperature: float,
        chunk_size: int,
    ) -> Float[Tensor, ""]:
        with_grad = any(ctx.needs_input_grad)
        grad_anchors = torch.zeros_like(anchors) if with_grad else None
        grad_keys = torch.zeros_like(keys) if with_grad else None
        total = anchors.new_zeros((), dtype=torch.float64)
        for start in range(0, len(anchors), chunk_size):
            rows = slice(start, start + chunk_size)
            block = anchors[rows]  # (chunk, D)
            logits = (block @ keys.mT).div_(temperature)  # (chunk, 2N)
            logits.scatter_(1, anchor_index[rows, None], float("-inf"))
            positive = logits.gather(1, labels[rows, None])  # (chunk, 1)
            log_sum = logits.logsumexp(1, keepdim=True)  # (chunk, 1)
            total += (log_sum - positive).sum(dtype=torch.float64)
            if grad_anchors is None or grad_keys is None:
                continue
            # ∂loss/∂logits = (softmax − one-hot of the positive) / 2n, (chunk, 2N)
            grad_logits = logits.sub_(log_sum).exp_()
            grad_logits.scatter_add_(1, labels[rows, None], torch.full_like(positive, -1.0))
            grad_anchors[rows] = grad_logits @ keys
            grad_keys.addmm_(grad_logits.mT, block)
        if grad_anchors is not None and grad_keys is not None:
            factor = 1 / (temperature * len(anchors))
            ctx.save_for_backward(grad_anchors.mul_(factor), grad_keys.mul_(factor))
        return (total / len(anchors)).to(anchors.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_anchors, grad_keys = ctx.saved_tensors
        return grad_anchors * grad, grad_keys * grad, None, None, None, None
