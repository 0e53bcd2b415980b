"""Two real gloo processes against one: the same loss, the same gradient of an encoder."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from handssl.augment import Composition, Views
from handssl.objectives import ViewPair, build_objective, nt_xent
from tests.small import small_objective

N, DIM = 6, 5
COMPOSITION = "T+S+Ro"


def inputs() -> tuple[Tensor, Tensor, nn.Module]:
    generator = torch.Generator().manual_seed(0)
    x_a, x_b = (torch.randn(N, DIM, generator=generator) for _ in range(2))
    encoder = nn.Linear(DIM, 4, bias=False)
    nn.init.normal_(encoder.weight, generator=generator)
    return x_a, x_b, encoder


def parameters(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand((N, 7), generator=generator)
    return {
        "translate": uniform[:, :2] - 0.5,
        "scale": 0.9 + 0.6 * uniform[:, 2:3],
        "rotate": 90 * uniform[:, 3:4] - 45,
        "side_px": 100 + 20 * uniform[:, 4],
        "centre_px": 100 + 20 * uniform[:, 5:],
    }


def compute(kind: str, rows: slice) -> tuple[Tensor, Tensor]:
    """Loss and encoder gradient of some rows; the heads are the same everywhere."""
    x_a, x_b, encoder = inputs()
    z_a, z_b = encoder(x_a[rows]), encoder(x_b[rows])
    if kind in {"plain", "chunked"}:
        loss = nt_xent(z_a, z_b, temperature=0.3, chunk_size=3 if kind == "chunked" else None)
    else:
        changes, composition = OTHERS.get(kind, ({"name": kind}, COMPOSITION))
        config = small_objective(**{"hidden_dim": 8, "projection_dim": 4, **changes})
        objective = build_objective(config, Composition.parse(composition), 4).eval()
        generator = torch.Generator().manual_seed(1)
        for parameter in objective.parameters():
            nn.init.uniform_(parameter, -0.3, 0.7, generator=generator)
        images, matrix = torch.zeros(len(z_a), 3, 1, 1), torch.eye(3).repeat(len(z_a), 1, 1)
        a, b = (
            Views(images, {key: value[rows] for key, value in parameters(seed).items()}, matrix)
            for seed in (2, 3)
        )
        pair = ViewPair(a=a, b=b, features_a=z_a, features_b=z_b)
        loss = objective([pair]).loss
    (gradient,) = torch.autograd.grad(loss, list(encoder.parameters()))
    return loss.detach(), gradient


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "care": ({"name": "care", "chunk": 3}, COMPOSITION),
    "exact": ({"name": "equivariant", "equivariance": "exact"}, COMPOSITION),
    "mixed": (
        {"name": "mixed", "mixture": "shared", "contrastive_weighting": "sigma"},
        "T:relative+S:contrastive+Ro:relative",
    ),
}
KINDS = ("plain", "chunked", "contrastive", "relative", "equivariant", *OTHERS)


def work(rank: int, folder: str, rows: tuple[slice, slice]) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    results: dict[str, Tensor | str] = {}
    sizes = {part.stop - part.start for part in rows}
    for kind in KINDS if len(sizes) == 1 else ("plain",):
        try:
            loss, gradient = compute(kind, rows[rank])
        except ValueError as error:
            results[kind] = str(error)
        else:
            dist.all_reduce(gradient)  # the mean over workers, as data-parallel training takes it
            results[f"{kind}_loss"], results[f"{kind}_gradient"] = loss, gradient / 2
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def run_two(folder: Path, rows: tuple[slice, slice]) -> list[dict[str, Tensor | str]]:
    spawn(work, args=(str(folder), rows), nprocs=2)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor | str]]:
    return run_two(tmp_path_factory.mktemp("gloo"), (slice(0, 3), slice(3, 6)))


@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_have_the_joined_batchs_loss_and_encoder_gradient(
    two_workers: list[dict[str, Tensor | str]], kind: str
) -> None:
    loss, gradient = compute(kind, slice(0, N))
    for worker in two_workers:
        torch.testing.assert_close(worker[f"{kind}_loss"], loss, atol=1e-5, rtol=0)
        torch.testing.assert_close(worker[f"{kind}_gradient"], gradient, atol=1e-5, rtol=0)


def test_workers_with_different_batches_are_refused(tmp_path: Path) -> None:
    for worker in run_two(tmp_path, (slice(0, 4), slice(4, 6))):
        assert "batch_size must be the same on all workers" in str(worker["plain"])
