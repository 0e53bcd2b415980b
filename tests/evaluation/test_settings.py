"""Settings of probes, diagnostics and fine-tuning that no run can have."""

import pytest

from handssl.encoders import EncoderConfig
from handssl.errors import ConfigError
from handssl.evaluation import DiagnosticsConfig, FinetuneConfig, ProbeConfig
from handssl.training import OptimizerConfig


@pytest.mark.parametrize(
    ("config", "setting", "message"),
    [
        (ProbeConfig, {"size_px": 4}, "size_px must be >= 16, but got size_px=4"),
        (ProbeConfig, {"augmented_passes": -1}, "augmented_passes must be >= 0"),
        (ProbeConfig, {"held_out": 1.0}, "held_out must be in"),
        (ProbeConfig, {"composition": "rotat"}, "rotat"),
        (ProbeConfig, {"solver": "sgd"}, "solver must be one of exact, robust, released, but got"),
        (ProbeConfig, {"label_fraction": 0.0}, "label_fraction must be in"),
        (ProbeConfig, {"epochs": 0}, "epochs must be >= 1"),
        (DiagnosticsConfig, {"images": 3}, "images must be >= 16, but got images=3"),
        (DiagnosticsConfig, {"augmentations": ("spin",)}, "spin"),
        (FinetuneConfig, {"mode": "thawed"}, "mode must be one of frozen, unfrozen, supervised"),
        (FinetuneConfig, {"layer_decay": 0.0}, r"layer_decay must be in \(0, 1\]"),
        (FinetuneConfig, {"batch_size": 1}, "batch_size must be >= 2"),
        (
            FinetuneConfig,
            {"mode": "supervised", "encoder": EncoderConfig(weights="a.pt")},
            "random or imagenet",
        ),
        (
            FinetuneConfig,
            {"epochs": 2, "optimizer": OptimizerConfig(warmup_epochs=2.0)},
            "warmup_epochs must be < epochs=2, but got warmup_epochs=2.0",
        ),
    ],
)
def test_impossible_settings_are_refused(
    config: type, setting: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**setting)
