"""NT-Xent against a loop over anchors, and its chunked form against the plain one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from handssl.errors import ConfigError
from handssl.objectives import nt_xent


def slow_nt_xent(
    z_a: Float[Tensor, "n dim"], z_b: Float[Tensor, "n dim"], temperature: float
) -> Float[Tensor, ""]:
    """Equation 1, term by term in float64."""
    z = torch.cat([z_a, z_b]).double()
    n = len(z_a)

    def similarity(i: int, k: int) -> Tensor:
        return torch.cosine_similarity(z[i], z[k], dim=0)

    total = z.new_zeros(())
    for i in range(2 * n):
        positive = (similarity(i, (i + n) % (2 * n)) / temperature).exp()
        everything = sum((similarity(i, k) / temperature).exp() for k in range(2 * n) if k != i)
        total = total - (positive / everything).log()
    return total / (2 * n)


def projections(n: int, dim: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z_a, z_b = (torch.randn(n, dim, generator=generator) * 3 for _ in range(2))
    return z_a.requires_grad_(), z_b.requires_grad_()


@settings(deadline=None, max_examples=12)
@given(
    st.integers(2, 7),
    st.floats(0.05, 5.0),
    st.sampled_from([None, 1, 3, 100]),
    st.integers(0, 100),
)
def test_nt_xent_equals_the_slow_loop(
    n: int, temperature: float, chunk_size: int | None, seed: int
) -> None:
    z_a, z_b = projections(n, seed=seed)
    expected = slow_nt_xent(z_a, z_b, temperature)
    expected_grad = torch.autograd.grad(expected, [z_a, z_b])
    loss = nt_xent(z_a, z_b, temperature=temperature, chunk_size=chunk_size)
    grad = torch.autograd.grad(loss, [z_a, z_b])
    # float32 logits of size 1/τ carry rounding in that proportion.
    scale = max(1.0, 0.5 / temperature)
    torch.testing.assert_close(loss, expected.float(), atol=1e-6 * scale, rtol=1e-6 * scale)
    torch.testing.assert_close(grad, expected_grad, atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("chunk_size", [None, 5])
def test_at_the_studys_temperature_it_equals_the_slow_loop_to_a_millionth(
    chunk_size: int | None,
) -> None:
    z_a, z_b = projections(24, 128)
    expected = slow_nt_xent(z_a, z_b, 0.5)
    loss = nt_xent(z_a, z_b, temperature=0.5, chunk_size=chunk_size)
    assert abs(float(loss.detach()) - float(expected.detach())) < 1e-6
    for own, slow in zip(
        torch.autograd.grad(loss, [z_a, z_b]),
        torch.autograd.grad(expected, [z_a, z_b]),
        strict=True,
    ):
        assert float((own - slow).abs().max()) < 1e-5


@pytest.mark.parametrize("chunk_size", [1, 7, 64, 1000])
def test_the_chunked_form_equals_the_plain_one(chunk_size: int) -> None:
    z_a, z_b = projections(40, 16)
    plain = nt_xent(z_a, z_b, temperature=0.1)
    chunked = nt_xent(z_a, z_b, temperature=0.1, chunk_size=chunk_size)
    torch.testing.assert_close(chunked, plain, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad(3 * chunked, [z_a, z_b]),
        torch.autograd.grad(3 * plain, [z_a, z_b]),
        atol=1e-6,
        rtol=1e-5,
    )


def test_the_chunked_form_needs_no_gradient() -> None:
    z_a, z_b = (z.detach() for z in projections(5))
    torch.testing.assert_close(nt_xent(z_a, z_b, chunk_size=2), nt_xent(z_a, z_b))


def test_tiny_temperatures_stay_finite() -> None:
    z_a, z_b = projections(8)
    loss = nt_xent(z_a, z_b, temperature=1e-4)
    assert loss.isfinite()
    assert all(g.isfinite().all() for g in torch.autograd.grad(loss, [z_a, z_b]))


@pytest.mark.parametrize(
    ("n", "setting", "message"),
    [
        *((3, {"temperature": value}, f"temperature={value}") for value in (0.0, -1.0, math.nan)),
        (3, {"chunk_size": 0}, "chunk_size must be >= 1"),
        (1, {}, "batch_size must be >= 2, but got batch_size=1"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    n: int, setting: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        nt_xent(*projections(n), **setting)  # type: ignore[arg-type]
