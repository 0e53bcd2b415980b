import dataclasses

import pytest
import torch

from handssl.data import Store
from handssl.encoders import EncoderConfig
from handssl.evaluation import FinetuneConfig, Finetuning
from handssl.evaluation.root_refiner import RootRefiner, root_loss
from handssl.geometry import joints_from_25d, joints_to_25d, pixel_rays, root_depth
from handssl.training import OptimizerConfig

CAMERA = torch.tensor([[400.0, 0, 64], [0, 400, 64], [0, 0, 1]])


def noisy(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """2.5D poses with noise of 1.5 px and 0.1 bones, cameras, and true root depths in bones."""
    generator = torch.Generator().manual_seed(seed)
    shape = 0.03 * torch.randn(21, 3, generator=torch.Generator().manual_seed(9))
    joints = shape * (1 + 0.2 * torch.randn(n, 21, 1, generator=generator))
    joints[:, 5] = joints[:, 0] + torch.tensor([0.05, -0.06, 0.02])
    depth = 0.4 + 0.5 * torch.rand(n, 1, generator=generator)
    joints = joints + torch.stack([0 * depth, 0 * depth, depth], dim=2)
    cameras = CAMERA.expand(n, 3, 3)
    uvz, bone_m = joints_to_25d(joints, cameras)
    noise = torch.randn(n, 21, 3, generator=generator) * torch.tensor([1.5, 1.5, 0.1])
    return uvz + noise, cameras, joints[:, 0, 2] / bone_m


def test_a_new_refiner_returns_the_closed_form() -> None:
    uvz, cameras, _ = noisy(8, seed=0)
    rays = pixel_rays(uvz[..., :2], cameras)[..., :2]
    refiner = RootRefiner()
    with torch.no_grad():
        bias = refiner.layers[-1].bias
        assert isinstance(bias, torch.Tensor)
        bias.zero_()
    found = refiner(uvz, cameras)
    assert found.tolist() == pytest.approx(root_depth(rays, uvz[..., 2].double()).tolist())


def test_training_reduces_the_error_of_noisy_poses() -> None:
    torch.manual_seed(0)
    refiner = RootRefiner()
    uvz, cameras, target = noisy(512, seed=0)
    optimizer = torch.optim.Adam(refiner.parameters(), lr=3e-3)
    valid = torch.ones(len(uvz), 21, dtype=torch.bool)
    for _ in range(80):
        optimizer.zero_grad()
        torch.autograd.backward(root_loss(refiner(uvz, cameras), target, valid))
        optimizer.step()
    uvz, cameras, target = noisy(512, seed=1)
    rays = pixel_rays(uvz[..., :2], cameras)[..., :2]
    plain = (root_depth(rays, uvz[..., 2].double()) - target).abs().mean()
    with torch.no_grad():
        refined = (refiner.eval()(uvz, cameras) - target).abs().mean()
    assert refined < 0.75 * plain


def test_an_absurd_pose_stays_within_bounds() -> None:
    uvz = torch.full((4, 21, 3), 10.0)
    found = RootRefiner().eval()(uvz, CAMERA.expand(4, 3, 3))
    assert ((found > 0) & (found < 51)).all()


def test_the_loss_counts_labelled_wrists_only() -> None:
    valid = torch.ones(3, 21, dtype=torch.bool)
    valid[1, 0] = False
    loss = root_loss(torch.tensor([1.0, 5, 7]), torch.tensor([2.0, torch.nan, 10]), valid)
    assert float(loss) == 2.0
    assert float(root_loss(torch.zeros(3), torch.zeros(3), ~valid & False)) == 0.0


def test_the_depth_that_is_given_is_the_roots() -> None:
    uvz, cameras, target = noisy(8, seed=0)
    bone_m = torch.full((8,), 0.08)
    lifted = joints_from_25d(uvz, bone_m, cameras, root=target)
    expected = (target + uvz[:, 0, 2]) * 0.08
    assert lifted[:, 0, 2].tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_it_is_trained_beside_the_pose_without_changing_it(hands: Store) -> None:
    train, val = hands.split("train"), hands.split("val")
    config = FinetuneConfig(
        encoder=EncoderConfig(name="resnet10t"),
        size_px=32,
        epochs=3,
        batch_size=16,
        refine_root=True,
        optimizer=OptimizerConfig(name="adam", base_lr=1e-3, weight_decay=0.0, warmup_epochs=0.0),
    )
    refined = Finetuning(config, train, seed=0)
    losses = [report.loss for report in refined]
    plain = Finetuning(dataclasses.replace(config, refine_root=False), train, seed=0)
    assert all(a > b.loss for a, b in zip(losses, plain, strict=True))
    for name, value in plain.model.encoder.state_dict().items():
        assert torch.equal(refined.model.encoder.state_dict()[name], value), name
    metrics, others = refined.evaluate(val).metrics, plain.evaluate(val).metrics
    assert metrics["median_pje_cm"] < others["median_pje_cm"]
