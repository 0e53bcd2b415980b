from pathlib import Path

import pytest

from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from handssl.training import OptimizerConfig, PretrainConfig
from search.storage.disk import Room, check_room, room_of

PRETRAIN = PretrainConfig(
    encoder=EncoderConfig(name="resnet10t", weights="imagenet"),
    optimizer=OptimizerConfig(warmup_epochs=0.0),
)


def test_encoders_and_checkpoints_are_counted_without_making_them(tmp_path: Path) -> None:
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    weights = sum(p.numel() * p.element_size() for p in encoder.parameters())
    results = str(tmp_path / "not yet" / "there")
    kept = room_of(PRETRAIN, trials=30, at_once=2, keep_encoder=True, results=results)
    not_kept = room_of(PRETRAIN, trials=30, at_once=2, keep_encoder=False, results=results)
    assert kept.kept - not_kept.kept == 30 * weights
    assert kept.working == not_kept.working == 2 * 4 * weights
    assert kept.free
    check_room(not_kept, results)
    bucket = room_of(PRETRAIN, trials=30, at_once=2, keep_encoder=True, results="s3://b/r")
    assert bucket.free is None
    check_room(bucket, "s3://b/r")


def test_a_study_that_cannot_fit_is_refused_with_what_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"results=r has 1\.0 GB free, but .* 3\.0 GB for"):
        check_room(Room(kept=3 * 10**9, working=10**8, free=10**9), "r")
