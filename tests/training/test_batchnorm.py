import socket
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from handssl.errors import ConfigError
from handssl.training.batchnorm import SynchronisedBatchNorm, synchronise_batchnorm

CPU = torch.device("cpu")


@pytest.fixture
def group_of_one() -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def layers(shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    """The plain layer and its stand-in, with the same parameters, not the initial ones."""
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    plain, copied = kind(shape[1]), kind(shape[1])
    with torch.no_grad():
        plain.weight.copy_(torch.linspace(0.5, 2, shape[1]))
        plain.bias.copy_(torch.linspace(-1, 1, shape[1]))
    copied.load_state_dict(plain.state_dict())
    return plain, SynchronisedBatchNorm(copied)


@pytest.mark.usefixtures("group_of_one")
@pytest.mark.parametrize("shape", [(6, 3, 4, 5), (7, 3)])
def test_one_worker_equals_plain_batch_norm_in_value_gradient_and_statistics(
    shape: tuple[int, ...],
) -> None:
    plain, ours = layers(shape)
    generator = torch.Generator().manual_seed(0)
    x = 100 + 3 * torch.randn(shape, generator=generator)
    weight = torch.randn(shape, generator=generator)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [layer(own) for layer, own in zip((plain, ours), inputs, strict=True)]
    for output in outputs:
        (output.pow(3) * weight).sum().backward()
    assert torch.allclose(outputs[0], outputs[1], atol=1e-4)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-3, atol=1e-2)
    for parameter, other in zip(plain.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(plain.state_dict(), ours.state_dict(), rtol=1e-5, atol=1e-8)


@pytest.mark.usefixtures("group_of_one")
def test_the_gradient_passes_a_numerical_check() -> None:
    _, layer = layers((4, 2))
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer.double(), (x,))


def test_evaluation_uses_the_running_statistics_and_needs_no_group() -> None:
    plain, ours = layers((5, 3))
    x = torch.randn(5, 3)
    assert torch.equal(plain.eval()(x), ours.eval()(x))


def test_conversion_keeps_names_tensors_and_mode() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm1d(4)))
    before = module.state_dict()
    weight = module[1].weight
    synchronise_batchnorm(module.eval(), CPU)
    assert module.state_dict().keys() == before.keys()
    assert module[1].weight is weight
    assert isinstance(module[1], SynchronisedBatchNorm)
    assert not module[1].training


def test_on_cuda_a_layer_that_does_more_than_normalise_keeps_doing_it() -> None:
    module = nn.Sequential(nn.BatchNorm2d(4), BatchNormAct2d(4, act_layer=nn.ReLU))
    names = module.state_dict().keys()
    converted = synchronise_batchnorm(module, torch.device("cuda"))
    assert converted is module, "the caller keeps the module that it gave"
    assert all(isinstance(own, nn.SyncBatchNorm) for own in module)
    assert isinstance(module[1].act, nn.ReLU)
    assert module.state_dict().keys() == names


def test_a_layer_that_does_more_than_normalise_is_refused() -> None:
    with pytest.raises(ConfigError, match="got BatchNormAct2d in Sequential; use one worker"):
        synchronise_batchnorm(nn.Sequential(BatchNormAct2d(4)), CPU)
