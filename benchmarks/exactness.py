"""Exactness: NT-Xent against a loop over anchors, and two workers against one.

The loop computes equation 1 term by term in float64. Two gloo workers hold half of the batch each;
their loss and the mean of their encoder gradients are compared with one worker's on the whole
batch, as data-parallel training takes them. Differences are absolute and the largest.
"""

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from benchmarks.figure import Row, row
from handssl.objectives import nt_xent

N, DIM, FEATURES, TEMPERATURE = 64, 128, 256, 0.5
FORMS = {"plain": None, "chunked": 24}


def measure(*, quick: bool = False) -> list[Row]:
    """Largest differences of loss and gradient; `quick` is as fast."""
    z = [own.requires_grad_() for own in torch.randn(2, N, DIM, generator=_generator()).unbind()]
    expected = _loop(*z)
    gradients = torch.autograd.grad(expected, z)
    rows = []
    for form, chunk_size in FORMS.items():
        loss = nt_xent(*z, temperature=TEMPERATURE, chunk_size=chunk_size)
        own = torch.autograd.grad(loss, z)
        apart = max(float((a - b).abs().max()) for a, b in zip(own, gradients, strict=True))
        rows += [
            row(
                f"{form} against the loop: loss",
                abs(float(loss.detach() - expected.detach())),
                most=1e-6,
            ),
            row(f"{form} against the loop: gradient", apart, most=1e-5),
        ]
    whole = {form: _encoded(chunk, slice(0, N)) for form, chunk in FORMS.items()}
    for form, (loss_apart, gradient_apart) in _two_workers(whole).items():
        rows += [
            row(f"{form}, 2 workers against 1: loss", loss_apart, most=1e-5),
            row(f"{form}, 2 workers against 1: encoder gradient", gradient_apart, most=1e-5),
        ]
    return rows


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _loop(z_a: Tensor, z_b: Tensor) -> Tensor:
    """Mean over anchors of −log(exp(s_ij/τ) / Σ_{k≠i} exp(s_ik/τ))."""
    z = nn.functional.normalize(torch.cat([z_a, z_b]).double(), dim=1)
    terms = []
    for i in range(2 * N):
        others = torch.stack([z[i] @ z[k] for k in range(2 * N) if k != i]) / TEMPERATURE
        terms.append(others.exp().sum().log() - z[i] @ z[(i + N) % (2 * N)] / TEMPERATURE)
    return torch.stack(terms).mean()


def _encoded(chunk_size: int | None, rows: slice) -> tuple[Tensor, Tensor]:
    """Loss and gradient of a linear encoder over some rows of the batch."""
    generator = _generator()
    x_a, x_b = torch.randn(2, N, FEATURES, generator=generator)
    weight = (torch.randn(DIM, FEATURES, generator=generator) / FEATURES**0.5).requires_grad_()
    loss = nt_xent(
        x_a[rows] @ weight.mT,
        x_b[rows] @ weight.mT,
        temperature=TEMPERATURE,
        chunk_size=chunk_size,
    )
    (gradient,) = torch.autograd.grad(loss, [weight])
    return loss.detach(), gradient


def _two_workers(whole: dict[str, tuple[Tensor, Tensor]]) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        spawn(_work, args=(folder,), nprocs=2)  # type: ignore[no-untyped-call]
        found = [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]
    return {
        form: tuple(  # type: ignore[misc]
            max(float((own[form][part] - whole[form][part]).abs().max()) for own in found)
            for part in range(2)
        )
        for form in FORMS
    }


def _work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    share = slice(rank * N // 2, (rank + 1) * N // 2)
    results = {}
    for form, chunk_size in FORMS.items():
        loss, gradient = _encoded(chunk_size, share)
        dist.all_reduce(gradient)
        results[form] = (loss, gradient / 2)
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
