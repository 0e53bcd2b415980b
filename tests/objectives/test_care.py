"""CARE's term vanishes for orthogonal maps, and its views share parameters by chunk."""

import torch

from handssl.augment import Composition, sample_parameters
from handssl.objectives import build_objective, objective_config
from handssl.objectives.care import orthogonality


def projections() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z_a, z_b = (torch.randn(8, 5, generator=generator) for _ in range(2))
    return z_a, z_b


def test_it_equals_the_slow_loop_over_pairs_of_a_chunk() -> None:
    z_a, z_b = projections()
    terms = [
        (
            torch.cosine_similarity(z_a[i], z_a[k], 0) - torch.cosine_similarity(z_b[i], z_b[k], 0)
        ).square()
        for i in range(8)
        for k in range(8)
        if i != k and i // 3 == k // 3
    ]
    torch.testing.assert_close(orthogonality(z_a, z_b, chunk=3), torch.stack(terms).mean())


def test_an_orthogonal_map_per_chunk_costs_nothing() -> None:
    z_a, _ = projections()
    maps = [
        torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(k)))[0]
        for k in range(2)
    ]
    turned = torch.cat([z_a[:4] @ maps[0], 3 * z_a[4:] @ maps[1]])
    assert float(orthogonality(z_a, turned, chunk=4)) < 1e-10
    assert float(orthogonality(z_a, turned, chunk=8)) > 1e-3


def test_images_alone_in_their_chunk_cost_nothing() -> None:
    z_a, z_b = projections()
    # The diagonal, which is 1 twice, cancels to rounding.
    assert float(orthogonality(z_a[:1], z_b[:1], chunk=4)) < 1e-12


def test_its_views_share_parameters_within_a_chunk() -> None:
    config = objective_config("care", chunk=4, weight=0.5)
    (pair,) = build_objective(config, Composition.parse("Ro+T"), 8).pairs
    for own in pair.views:
        angles = sample_parameters(own, torch.Generator().manual_seed(0), 8)["rotate"]
        assert len(set(angles[:, 0].tolist())) == 2
