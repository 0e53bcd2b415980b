"""Pretraining: the loop, its configuration, optimisers and checkpoints."""

from handssl.training.config import OptimizerConfig, PretrainConfig
from handssl.training.loop import EpochReport, Pretraining
from handssl.training.pretrain import PretrainResult, pretrain, pretraining

__all__ = [
    "EpochReport",
    "OptimizerConfig",
    "PretrainConfig",
    "PretrainResult",
    "Pretraining",
    "pretrain",
    "pretraining",
]
