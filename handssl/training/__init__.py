"""Pretraining: the loop, its configuration, optimisers and checkpoints."""

from handssl.training.config import OptimizerConfig, PretrainConfig
from handssl.training.epochs import EpochReport
from handssl.training.pretrain import Pretraining

__all__ = ["EpochReport", "OptimizerConfig", "PretrainConfig", "Pretraining"]
