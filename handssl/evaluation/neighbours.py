"""A probe without any fit: the mean pose of the most similar training images."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from handssl.evaluation.features import LabelledFeatures
from handssl.evaluation.ridge import standardise

_ROWS: Final = 1024
"""Queries at a time: their distances to 130,000 images take 1 GB."""


def predict_neighbours(
    fitted: LabelledFeatures, features: Float[Tensor, "n feature"], *, k: int
) -> Float[Tensor, "n 63"]:
    """Mean 2.5D pose of the k nearest training views, by the cosine of standardised features.

    Args:
        fitted: Training views, of which only those with all joints labelled are used if there
            are k of them; otherwise each joint's mean is over its labels.
        features: Of the views to predict.
        k: Number of neighbours; at most that of the training views.
    """
    labels, known = fitted.labels, fitted.features.double()
    complete = labels.valid.all(1)
    rows = complete if complete.sum() >= k else labels.valid.any(1)
    standard, x_mean, scale = standardise(known[rows])
    known = torch.nn.functional.normalize(standard)  # (m, D)
    pose = torch.where(labels.valid[rows][..., None], labels.pose[rows].double(), torch.nan)
    pose = pose.flatten(1)  # (m, 63)
    missing = pose.nanmean(0).nan_to_num(0.5)
    parts = []
    for part in torch.split(features.double(), _ROWS):
        # The length of a query does not change the order of its cosines.
        nearest = ((part - x_mean) * scale @ known.mT).topk(min(k, len(known)), dim=1).indices
        mean = pose[nearest].nanmean(1)  # (b, k, 63) -> (b, 63)
        parts.append(torch.where(mean.isnan(), missing, mean))
    return torch.cat(parts)
