import math

import pytest
import torch
from torch import nn

from handssl.training.config import OptimizerConfig
from handssl.training.optim import build_optimizer, learning_rate

ETA, EPSILON = 0.02, 1e-8


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def with_gradients(module: nn.Module, scale: float = 1.0) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    return module


def slow_lars_adam(
    weights: list[torch.Tensor], gradients: list[list[torch.Tensor]], *, lr: float, decay: float
) -> list[torch.Tensor]:
    """The released update, parameter by parameter and step by step."""
    result = []
    for index, weight in enumerate(weights):
        w, m, v = weight.double(), torch.zeros(()), torch.zeros(())
        wd = decay if weight.ndim > 1 else 0.0
        for step, given in enumerate(gradients, start=1):
            g = given[index].double()
            w_norm, g_norm = w.norm(), g.norm()
            if w_norm != 0 and g_norm != 0:
                trust = ETA * w_norm / (g_norm + wd * w_norm + EPSILON)
                g = (g + wd * w) * min(trust / lr, torch.tensor(1.0))
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w = w - lr * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        result.append(w.float())
    return result


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("lr", [1e-3, 0.5])
def test_lars_adam_equals_the_slow_loop(scale: float, lr: float) -> None:
    module = model()
    start = [p.detach().clone() for p in module.parameters()]
    optimizer = build_optimizer(OptimizerConfig(weight_decay=1e-2), [module], lr=lr)
    given = []
    for step in range(3):
        with_gradients(module, scale * (step + 1))
        given.append([p.grad.clone() for p in module.parameters() if p.grad is not None])
        optimizer.step()
    expected = slow_lars_adam(start, given, lr=lr, decay=1e-2)
    for parameter, value in zip(module.parameters(), expected, strict=True):
        assert torch.allclose(parameter, value, rtol=1e-4, atol=1e-6)


def test_a_constant_rescaling_of_gradients_leaves_lars_adam_plain_adam() -> None:
    """Where the trust ratio is the same in every step, Adam undoes it."""
    ours, plain = with_gradients(model()), with_gradients(model())
    before = [p.detach().clone() for p in plain.parameters()]
    build_optimizer(OptimizerConfig(weight_decay=0.0), [ours], lr=1e-3).step()
    build_optimizer(OptimizerConfig(name="adam", weight_decay=0.0), [plain], lr=1e-3).step()
    for a, b, c in zip(ours.parameters(), plain.parameters(), before, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert not torch.equal(b, c)


@pytest.mark.parametrize("name", ["lars_adam", "lamb", "adam", "lars_sgd"])
def test_every_optimiser_lowers_a_quadratic(name: str) -> None:
    target = torch.arange(6.0).view(2, 3)
    layer = nn.Linear(3, 2, bias=False)
    optimizer = build_optimizer(OptimizerConfig(name=name), [layer], lr=0.1)
    losses: list[float] = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (layer.weight - target).square().mean()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_schedule_warms_up_linearly_and_ends_near_zero() -> None:
    rates = [
        learning_rate(step, peak_lr=2.0, warmup_steps=4.0, total_steps=20) for step in range(20)
    ]
    assert rates[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert rates[4] == pytest.approx(2.0)
    assert rates[12] == pytest.approx(1.0), "half of the cosine"
    assert rates[19] == pytest.approx(1 + math.cos(math.pi * 15 / 16))
    assert learning_rate(20, peak_lr=2.0, warmup_steps=4.0, total_steps=20) == pytest.approx(0)


@pytest.mark.parametrize("warmup_steps", [0.0, 0.5])
def test_without_a_whole_step_of_warm_up_the_first_has_the_peak(warmup_steps: float) -> None:
    assert learning_rate(0, peak_lr=3.0, warmup_steps=warmup_steps, total_steps=5) == 3.0


def test_weight_decay_is_for_kernels_alone_and_never_reaches_adam_itself() -> None:
    module = model()
    module.register_parameter("log_sigma", nn.Parameter(torch.zeros(())))
    optimizer = build_optimizer(OptimizerConfig(weight_decay=0.1), [module], lr=1e-3)
    decayed, free = optimizer.param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert len(free["params"]) == 5
    assert [group["weight_decay"] for group in (decayed, free)] == [0.0, 0.0]
    assert [group["lars_weight_decay"] for group in (decayed, free)] == [0.1, 0.0]
