"""Evaluation: metrics of 3D poses, the probes that produce them, and diagnostics of features."""

from handssl.evaluation.diagnostics import DiagnosticsConfig, diagnose, diagnosed
from handssl.evaluation.finetune import Finetuning, evaluate_model
from handssl.evaluation.finetune_config import FinetuneConfig
from handssl.evaluation.image_blind import image_blind
from handssl.evaluation.lifting import Evaluated
from handssl.evaluation.metrics import (
    POSE_METRICS,
    UV_METRICS,
    joint_errors_cm,
    pck_curve,
    pose_metrics,
)
from handssl.evaluation.official import interhand_mpjpe_mm
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.probe import ProbeConfig, ProbeResult, linear_probe

__all__ = [
    "POSE_METRICS",
    "UV_METRICS",
    "DiagnosticsConfig",
    "Evaluated",
    "FinetuneConfig",
    "Finetuning",
    "PoseModel",
    "ProbeConfig",
    "ProbeResult",
    "diagnose",
    "diagnosed",
    "evaluate_model",
    "image_blind",
    "interhand_mpjpe_mm",
    "joint_errors_cm",
    "linear_probe",
    "pck_curve",
    "pose_metrics",
]
