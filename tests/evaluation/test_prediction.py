import numpy as np
import pytest
import torch
from torch import Tensor

from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.prediction import default_intrinsics, predict_pose


class _Finder(PoseModel):
    """Finds a white square: all joints about its centre, spread over a fixed share of it."""

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.mean(1) > 0.5).double()
        grid = (torch.arange(self.size_px) + 0.5) / self.size_px
        v, u = torch.meshgrid(grid.double(), grid.double(), indexing="ij")
        total = bright.sum((1, 2))
        centre = torch.stack([(bright * u).sum((1, 2)), (bright * v).sum((1, 2))], 1)
        centre = centre / total[:, None]
        extent = (total / self.size_px**2).sqrt()
        angle = torch.arange(21).double() / 21 * 2 * torch.pi
        ring = torch.stack([angle.cos(), angle.sin()], 1) * 0.5
        uv = centre[:, None] + ring[None] * extent[:, None, None]
        # View pixels run from −½ to size − ½: the centre of the first is at 0.
        uv = uv - 0.5 / self.size_px
        return torch.cat([uv, torch.zeros_like(uv[..., :1])], dim=2).flatten(1)


@pytest.fixture(scope="module")
def finder() -> _Finder:
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    return _Finder(encoder, name="resnet10t", size_px=64, bone_m=0.09).eval()


def square(width: int = 200, height: int = 160) -> np.ndarray:
    """White from 80 to 119 and 60 to 99: its centre is at (99.5, 79.5), its side 40."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[60:100, 80:120] = 255
    return image


def test_the_second_pass_looks_at_what_the_first_one_found(finder: _Finder) -> None:
    image = np.roll(square(), 10, axis=1)
    pose = predict_pose(finder, image, default_intrinsics(200, 160))
    assert pose.box.centre_px == pytest.approx((109.5, 79.5), abs=0.7)
    assert pose.box.side_px == pytest.approx(2 * 1.25 * 20, rel=0.05)
    assert pose.joints_px.mean(0) == pytest.approx((109.5, 79.5), abs=0.3)


def test_joints_in_metres_project_to_the_pixels(finder: _Finder) -> None:
    intrinsics = default_intrinsics(200, 160)
    pose = predict_pose(finder, square(), intrinsics)
    projected = pose.joints_m @ intrinsics.T
    assert projected[:, :2] / projected[:, 2:] == pytest.approx(pose.joints_px, abs=1e-3)
    assert np.linalg.norm(pose.joints_m[5] - pose.joints_m[0]) == pytest.approx(0.09, rel=1e-3)
    longer = predict_pose(finder, square(), intrinsics, bone_m=0.18)
    assert longer.joints_m == pytest.approx(2 * pose.joints_m, rel=1e-6)


def test_a_known_finger_bone_sets_the_scale_and_moves_no_pixel(finder: _Finder) -> None:
    intrinsics = default_intrinsics(200, 160)
    plain = predict_pose(finder, square(), intrinsics)
    scaled = predict_pose(finder, square(), intrinsics, scale_m=0.03)
    assert np.linalg.norm(scaled.joints_m[10] - scaled.joints_m[9]) == pytest.approx(0.03)
    ratio = scaled.joints_m / plain.joints_m
    assert ratio == pytest.approx(np.full((21, 3), ratio[0, 2]))
    assert scaled.joints_px == pytest.approx(plain.joints_px)


def test_a_left_hand_is_the_mirrored_right_one(finder: _Finder) -> None:
    image = np.roll(square(), 7, axis=1)
    intrinsics = default_intrinsics(200, 160)
    intrinsics[0, 2] = 90.0
    mirrored = intrinsics.copy()
    mirrored[0, 2] = 199 - 90.0
    right = predict_pose(finder, image, intrinsics)
    left = predict_pose(finder, image[:, ::-1].copy(), mirrored, left=True)
    assert left.joints_px[:, 0] == pytest.approx(199 - right.joints_px[:, 0])
    assert left.joints_m == pytest.approx(right.joints_m * [-1, 1, 1])


def test_an_image_smaller_than_the_view_is_fine(finder: _Finder) -> None:
    pose = predict_pose(finder, square()[50:110, 70:130], default_intrinsics(60, 60))
    assert pose.joints_px.mean(0) == pytest.approx((29.5, 29.5), abs=0.3)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [(np.zeros((3, 3)), "singular"), (np.eye(2), "3 × 3"), (np.full((3, 3), np.nan), "finite")],
)
def test_a_matrix_that_is_no_camera_is_refused(
    finder: _Finder, matrix: np.ndarray, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        predict_pose(finder, square(), matrix)
