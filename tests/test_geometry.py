import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from handssl.errors import ConfigError
from handssl.geometry import (
    joints_from_25d,
    joints_to_25d,
    procrustes_align,
    project,
    transform_points,
)
from handssl.synthetic.freihand import draw_capture

SEEDS = st.integers(0, 10_000)


def hands(seed: int, n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Random joints in front of a camera, and cameras turned about their axis."""
    generator = torch.Generator().manual_seed(seed)
    joints_m = 0.06 * torch.randn(n, 21, 3, generator=generator, dtype=torch.float64)
    joints_m[..., 2] += 0.4 + torch.rand(n, 1, generator=generator, dtype=torch.float64)
    camera = torch.tensor([[400.0, 0, 112], [0, 420, 108], [0, 0, 1]], dtype=torch.float64)
    angle = torch.rand(n, generator=generator, dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)
    turn[:, 0, 0] = turn[:, 1, 1] = angle.cos()
    turn[:, 0, 1], turn[:, 1, 0] = angle.sin(), -angle.sin()
    return joints_m, turn @ camera


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_25d_and_back_is_the_identity(seed: int) -> None:
    joints_m, intrinsics = hands(seed)
    # With the wrist behind the reference joint along its own ray there are two solutions in front
    # of the camera; hands as cameras see them have the larger one.
    representation, bone_m = joints_to_25d(joints_m, intrinsics)
    back = joints_from_25d(representation, bone_m, intrinsics)
    again, _ = joints_to_25d(back, intrinsics)
    assert torch.allclose(again, representation, rtol=1e-5, atol=1e-5)
    bone = (back[:, 5] - back[:, 0]).norm(dim=-1)
    assert torch.allclose(bone, bone_m, rtol=1e-5)


@given(first=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_25d_and_back_is_exact_to_a_ten_thousandth_of_the_bone_for_any_drawn_hand(
    first: int,
) -> None:
    """In single precision, for hands and views of both kinds as the generator draws them."""
    captures = [
        draw_capture(first, "training", number, uniform_views=share)
        for number, share in enumerate((0.0, 0.0, 1.0, 1.0))
    ]
    joints_m = torch.tensor(np.stack([capture.joints_m for capture in captures])).float()
    intrinsics = torch.tensor(np.stack([capture.intrinsics for capture in captures])).float()
    representation, bone_m = joints_to_25d(joints_m, intrinsics)
    back = joints_from_25d(representation, bone_m, intrinsics)
    assert ((back - joints_m).norm(dim=-1) < 1e-4 * bone_m[:, None]).all()


def test_the_representation_by_hand() -> None:
    joints_m = torch.zeros(1, 21, 3)
    joints_m[..., 2] = 0.5
    joints_m[0, 5] = torch.tensor([0.1, 0.0, 0.5])
    joints_m[0, 8] = torch.tensor([0.0, 0.1, 0.7])
    intrinsics = torch.tensor([[[100.0, 0, 50], [0, 100, 40], [0, 0, 1]]])
    representation, bone_m = joints_to_25d(joints_m, intrinsics)
    assert bone_m.item() == pytest.approx(0.1)
    assert representation[0, 0].tolist() == pytest.approx([50, 40, 0])
    assert representation[0, 5].tolist() == pytest.approx([70, 40, 0])
    assert representation[0, 8].tolist() == pytest.approx([50, 40 + 100 / 7, 2], rel=1e-5)


def test_impossible_predictions_stay_finite_and_in_front_of_the_camera() -> None:
    intrinsics = hands(0)[1]
    for value in (0.0, 50.0, 1e6):
        prediction = torch.full((4, 21, 3), value, dtype=torch.float64)
        joints_m = joints_from_25d(prediction, torch.full((4,), 0.1).double(), intrinsics)
        assert joints_m.isfinite().all()
        assert (joints_m[..., 2] > 0).all()


def test_projection_and_affine_map_by_hand() -> None:
    point = torch.tensor([[[0.2, -0.1, 2.0]]])
    intrinsics = torch.tensor([[[100.0, 0, 10], [0, 50, 20], [0, 0, 1]]])
    assert project(point, intrinsics)[0, 0].tolist() == pytest.approx([20, 17.5])
    matrix = torch.tensor([[[0.0, -1, 3], [2, 0, 4], [0, 0, 1]]])
    moved = transform_points(torch.tensor([[[5.0, 6.0]]]), matrix)
    assert moved[0, 0].tolist() == pytest.approx([-3, 14])


@given(seed=SEEDS, scale=st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_alignment_undoes_any_similarity(seed: int, scale: float) -> None:
    target = hands(seed)[0]
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    shift = torch.from_numpy(generator.normal(size=3))
    moved = scale * target @ torch.from_numpy(rotation).mT + shift
    assert torch.allclose(procrustes_align(moved, target), target, atol=1e-6)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_alignment_equals_freihands_official_one(seed: int) -> None:
    """Centre, unit norm, scipy's orthogonal Procrustes, undo."""
    target = hands(seed)[0]
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed))
    prediction = target + 0.05 * noise
    aligned = procrustes_align(prediction, target)
    for p, q, ours in zip(prediction.numpy(), target.numpy(), aligned.numpy(), strict=True):
        q_mean, p_mean = q.mean(0), p.mean(0)
        q_unit, p_unit = q - q_mean, p - p_mean
        q_norm, p_norm = np.linalg.norm(q_unit) + 1e-8, np.linalg.norm(p_unit) + 1e-8
        rotation, scale = orthogonal_procrustes(q_unit / q_norm, p_unit / p_norm)
        official = (p_unit / p_norm) @ rotation.T * scale * q_norm + q_mean
        assert ours == pytest.approx(official, abs=1e-5)


def test_a_mirror_image_aligns_only_where_reflections_are_allowed() -> None:
    target = hands(1)[0]
    mirrored = target * torch.tensor([-1.0, 1, 1])
    assert torch.allclose(procrustes_align(mirrored, target), target, atol=1e-6)
    proper = procrustes_align(mirrored, target, allow_reflection=False)
    assert (proper - target).norm(dim=-1).mean() > 0.01


def test_proper_alignment_is_no_worse_than_any_rotation_near_it() -> None:
    target = hands(2, n=1)[0]
    prediction = target * torch.tensor([-1.0, 1, 1]) + 0.01
    best = procrustes_align(prediction, target, allow_reflection=False)
    error = (best - target).square().sum()
    centred = best - best.mean(1, keepdim=True)
    for axis in range(3):
        for angle in (-0.02, 0.02):
            generator = torch.zeros(3, 3, dtype=torch.float64)
            i, j = (axis + 1) % 3, (axis + 2) % 3
            generator[i, j], generator[j, i] = -angle, angle
            turned = centred @ torch.linalg.matrix_exp(generator).mT + best.mean(1, keepdim=True)
            assert (turned - target).square().sum() >= error


def test_invalid_joints_do_not_take_part() -> None:
    target = hands(3)[0]
    valid = torch.ones(4, 21, dtype=torch.bool)
    valid[:, 10:15] = False
    prediction = 2 * target + 1
    broken, unlabelled = prediction.clone(), target.clone()
    broken[~valid] = 7.0
    unlabelled[~valid] = torch.nan
    aligned = procrustes_align(broken, unlabelled, valid)
    assert torch.allclose(aligned[valid], target[valid], atol=1e-6)


def test_degenerate_samples_are_only_shifted() -> None:
    target = hands(4)[0]
    point = torch.full_like(target, 0.3)
    aligned = procrustes_align(point, target)
    assert torch.allclose(aligned, target.mean(1, keepdim=True).expand_as(target))
    nothing = procrustes_align(target, target, torch.zeros(4, 21, dtype=torch.bool))
    assert nothing.isfinite().all()


def test_a_singular_camera_is_refused_by_its_place_in_the_batch() -> None:
    cameras = torch.eye(3).repeat(3, 1, 1)
    cameras[1, 1] = 0
    with pytest.raises(ConfigError, match=r"singular intrinsics=.* for sample 1"):
        joints_from_25d(torch.rand(3, 21, 3), torch.ones(3), cameras)
