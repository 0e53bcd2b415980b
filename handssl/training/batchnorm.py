"""Batch normalisation over all workers, differentiable, on the CPU too.

PyTorch's `SyncBatchNorm` refuses CPU tensors, and statistics per worker would make the loss
depend on how many workers share a batch (D7).
"""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn

from handssl.errors import require


class _Normalise(torch.autograd.Function):
    """(x − μ) / √(v + ε) · w + b with μ and v over the rows of all workers.

    With x̂ the normalised input, N the rows of all workers and Σ sums over them, the gradient is
    ∂x = w / √(v + ε) · (∂y − Σ∂y / N − x̂ Σ(∂y x̂) / N). The gradients of w and b stay local, to
    be averaged with all the others.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 -- autograd functions take their inputs by position
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        count: int,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, var)
        ctx.count, ctx.eps = count, eps
        return _affine(x, mean, var, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var = ctx.saved_tensors
        (gradient,) = gradients
        # The plain layer's kernel, measured as the fastest: in evaluation mode it computes just
        # the two sums Σ(∂y x̂) and Σ∂y of this worker, (channels,) each.
        _, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, var, None, None, False, ctx.eps, [False, True, True]
        )
        sums = torch.stack([grad_bias, grad_weight])
        dist.all_reduce(sums)
        # ∂x = slope · x̂ + offset + scale · ∂y, all per channel.
        scale = weight * torch.rsqrt(var + ctx.eps)
        offset, slope = -scale * sums / ctx.count
        grad_x = _affine(x, mean, var, slope, offset, eps=ctx.eps)
        grad_x.addcmul_(gradient, scale.view(1, -1, *([1] * (x.ndim - 2))))
        return grad_x, grad_weight, grad_bias, None, None, None, None


class SynchronisedBatchNorm(nn.Module):
    """Batch normalisation whose training statistics are those of all workers' rows together.

    It has the parameters, buffers and names of the layer that it replaces.

    Args:
        layer: An affine `BatchNorm1d` or `BatchNorm2d` with running statistics; its tensors are
            taken over, not copied.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.eps, self.momentum = layer.eps, layer.momentum
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(layer, name))
        self.training = layer.training

    def forward(self, x: Float[Tensor, "batch channels *rest"]) -> Tensor:
        """Normalised input; in evaluation mode with the running statistics."""
        if not self.training:
            return _affine(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        mean, var, count = _global_statistics(x)
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = (
                1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            )
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(var * count / (count - 1), momentum)
        result: Tensor = _Normalise.apply(x, self.weight, self.bias, mean, var, count, self.eps)
        return result


@torch.no_grad()
def _global_statistics(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and biased variance over all workers, combined from each worker's.

    v = mean_w(v_w + (μ_w − μ)²) for equal shares: no difference of large squares.
    """
    # The kernel of the plain layer; `torch.var_mean` is some ten times slower across images.
    mean, var = torch.batch_norm_update_stats(x, None, None, 0.0)
    workers = dist.get_world_size()
    local = torch.stack([mean, var])  # (2, channels)
    gathered = [torch.empty_like(local) for _ in range(workers)]
    dist.all_gather(gathered, local)
    means, variances = torch.stack(gathered, dim=1)  # (workers, channels) each
    mean = means.mean(0)
    var = (variances + (means - mean).square()).mean(0)
    return mean, var, workers * x.numel() // x.shape[1]


def _affine(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, *, eps: float
) -> Tensor:
    """(x − μ) / √(v + ε) · w + b in one pass."""
    return torch.nn.functional.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)


def synchronise_batchnorm(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every batch norm replaced by one over all workers; names stay the same.

    On CUDA PyTorch's implementation is used, through timm, whose batch norms may hold an
    activation that PyTorch's conversion would drop.

    Raises:
        ConfigError: If it holds a batch norm of another kind (some of timm's), not on CUDA.
    """
    if device.type == "cuda":
        converted: nn.Module = convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            synchronise_batchnorm(child, device)
            continue
        plain = type(child) in (nn.BatchNorm1d, nn.BatchNorm2d)
        require(
            plain and child.affine and child.track_running_stats,
            "encoder.name must have plain batch norms to run on several workers without CUDA, "
            f"but got {type(child).__name__} in {type(module).__name__}; use one worker",
        )
        setattr(module, name, SynchronisedBatchNorm(child))
    return module
