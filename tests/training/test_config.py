import math
from typing import Any

import pytest

from handssl.errors import ConfigError
from handssl.objectives import objective_config
from handssl.training import OptimizerConfig, PretrainConfig


def test_the_defaults_are_the_studys() -> None:
    config = PretrainConfig()
    assert (config.epochs, config.batch_size) == (100, 512)
    assert (config.accumulation, config.size_px) == (4, 128)
    assert config.peak_lr == pytest.approx(1e-4 * 2048**0.5)
    assert config.optimizer == OptimizerConfig(
        name="lars_adam", base_lr=1e-4, weight_decay=1e-6, warmup_epochs=10.0
    )


def test_magnitudes_reach_the_composition() -> None:
    config = PretrainConfig(composition="rotate", magnitudes={"rotate.max_deg": 30.0})
    (rotate,) = config.parsed_composition().augmentations
    assert rotate.max_deg == 30.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"size_px": 8}, "size_px must be >= 16, but got size_px=8"),
        ({"epochs": 0}, "epochs must be >= 1, but got epochs=0"),
        ({"batch_size": 1}, "batch_size must be >= 2, but got batch_size=1"),
        ({"accumulation": 0}, "accumulation must be >= 1"),
        ({"checkpoint_every": 0}, "checkpoint_every must be >= 1"),
        ({"precision": "int8"}, "precision must be one of auto, float32, bfloat16, float16"),
        ({"epochs": 10}, "warmup_epochs must be < epochs=10, but got warmup_epochs=10"),
        ({"composition": "spin"}, "spin"),
        ({"magnitudes": {"rotate.speed": 1.0}}, "rotate.speed"),
        ({"objective": objective_config("relative"), "composition": "sobel"}, "relative"),
        ({"optimizer": {"name": "adamw"}}, "optimizer.name must be one of lars_adam, lamb, adam,"),
        ({"optimizer": {"base_lr": 0.0}}, r"optimizer\.base_lr .*base_lr=0\.0"),
        ({"optimizer": {"base_lr": math.nan}}, r"optimizer\.base_lr .*base_lr=nan"),
        ({"optimizer": {"weight_decay": -1.0}}, r"optimizer\.weight_decay .*=-1\.0"),
        ({"optimizer": {"warmup_epochs": -0.1}}, r"optimizer\.warmup_epochs .*=-0\.1"),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, Any], message: str) -> None:
    optimizer = setting.pop("optimizer", {})
    with pytest.raises(ConfigError, match=message):
        PretrainConfig(optimizer=OptimizerConfig(**optimizer), **setting)
