import pytest
import torch
from torch import nn

from handssl.augment import Composition
from handssl.data import Store
from handssl.encoders import Encoder
from handssl.evaluation.features import LabelledFeatures, extract_features
from handssl.geometry import project, transform_points
from handssl.training.randomness import stream


class _Pixels(nn.Module):
    """Features that are the view itself, coarsely."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(_Pixels(), 48)


def extract(encoder: Encoder, store: Store, composition: str, batch: int = 16) -> LabelledFeatures:
    return extract_features(
        encoder,
        store,
        Composition.parse(composition),
        stream(0, "test"),
        size_px=32,
        device=torch.device("cpu"),
        batch_size=batch,
    )


def test_the_pose_is_where_the_view_shows_it(encoder: Encoder, hands: Store) -> None:
    """The camera of a view sees the untouched 3D joints at the pixels moved by its matrix."""
    rows = extract(encoder, hands, "translate+scale+rotate")
    joints_m = torch.from_numpy(hands.joints_m)
    source = torch.from_numpy(hands.intrinsics)
    matrix = rows.labels.intrinsics @ source.inverse()
    moved = transform_points(project(joints_m, source), matrix)
    assert torch.allclose(rows.labels.pose[..., :2] * 32, moved, atol=1e-2)
    assert matrix[:, 0, 1].abs().max() > 0.01, "some view is rotated"


@pytest.mark.parametrize("training", [True, False])
def test_unaugmented_hands_are_centred_and_the_mode_is_put_back(
    encoder: Encoder, hands: Store, training: bool
) -> None:
    rows = extract(encoder.train(training), hands, "")
    centres = rows.labels.pose[..., :2].mean(dim=1)
    assert (centres - 0.5).abs().max() < 0.02
    assert rows.features.shape == (len(hands), 48)
    assert encoder.training == training


def test_the_batch_size_changes_nothing(encoder: Encoder, hands: Store) -> None:
    large = extract(encoder, hands, "rotate+translate", batch=64)
    small = extract(encoder, hands, "rotate+translate", batch=7)
    assert torch.equal(large.labels.intrinsics, small.labels.intrinsics)
    assert torch.allclose(large.features, small.features, atol=1e-6)


def test_a_sample_without_its_reference_bone_has_no_valid_joint(
    encoder: Encoder, hands: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid = hands.valid.copy()
    valid[3, 5] = False
    valid[4, 20] = False
    monkeypatch.setattr(Store, "valid", valid)
    rows = extract(encoder, hands, "")
    assert not rows.labels.valid[3].any()
    assert rows.labels.valid[4].sum() == 20
