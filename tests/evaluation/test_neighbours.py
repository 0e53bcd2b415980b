import numpy as np
import torch
from torch import Tensor

from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import ProbeConfig, linear_probe
from handssl.evaluation.features import LabelledFeatures, ViewLabels
from handssl.evaluation.neighbours import predict_neighbours
from handssl.evaluation.probe import NEIGHBOUR_METRICS


def labelled(n: int, valid: Tensor | None = None) -> LabelledFeatures:
    generator = torch.Generator().manual_seed(n)
    return LabelledFeatures(
        features=torch.randn(n, 6, generator=generator) * torch.tensor([1, 9, 1, 1, 1, 1]),
        labels=ViewLabels(
            pose=torch.rand(n, 21, 3, generator=generator),
            valid=torch.ones(n, 21, dtype=torch.bool) if valid is None else valid,
            bone_m=torch.ones(n),
            root_m=torch.ones(n),
            intrinsics=torch.eye(3).repeat(n, 1, 1),
            groups=np.arange(n).astype(str),
        ),
    )


def test_the_prediction_equals_a_slow_search() -> None:
    train, queries = labelled(40), labelled(7).features
    x = train.features.double()
    mean, std = x.mean(0), x.std(0, correction=0)
    for query, pose in zip(queries.double(), predict_neighbours(train, queries, k=5), strict=True):
        q = (query - mean) / std
        cosines = [float(q @ r / r.norm()) for r in (x - mean) / std]
        nearest = sorted(range(40), key=lambda row: -cosines[row])[:5]
        expected = train.labels.pose[nearest].double().mean(0)
        torch.testing.assert_close(pose, expected.flatten())


def test_a_training_view_is_its_own_nearest_neighbour_and_more_than_all_are_all() -> None:
    train = labelled(20)
    pose = predict_neighbours(train, train.features, k=1)
    torch.testing.assert_close(pose.view(20, 21, 3), train.labels.pose.double())
    everything = predict_neighbours(train, train.features, k=500)
    torch.testing.assert_close(everything[3], train.labels.pose.double().mean(0).flatten())


def test_joints_without_labels_do_not_enter_the_mean() -> None:
    valid = torch.ones(6, 21, dtype=torch.bool)
    valid[:, 20] = False
    valid[::2, 4] = False
    train = labelled(6, valid)
    train.labels.pose[~valid] = torch.nan
    pose = predict_neighbours(train, train.features, k=6).view(6, 21, 3)
    assert pose.isfinite().all()
    torch.testing.assert_close(pose[0, 4], train.labels.pose[1::2, 4].double().mean(0))


def test_a_probe_reports_its_neighbours_beside_the_layer(hands: Store) -> None:
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    config = ProbeConfig(size_px=32, augmented_passes=0, neighbours=(5, 20), lifting="calibrated")
    metrics = linear_probe(encoder, hands.split("train"), hands.split("val"), config).metrics
    assert {f"knn{k}/{name}" for k in (5, 20) for name in NEIGHBOUR_METRICS} <= metrics.keys()
    assert 0 < metrics["knn5/ra_median_pje_cm"] < 20
