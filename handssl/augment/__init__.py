"""Augmentations, their compositions, and the views they make."""

from handssl.augment.augmentation import Augmentation, Geometric, Regressable
from handssl.augment.composition import Composition, compositions
from handssl.augment.geometric import wrap_deg
from handssl.augment.registry import AUGMENTATIONS
from handssl.augment.views import Parameters, Views, apply_views, make_views, sample_parameters

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Composition",
    "Geometric",
    "Parameters",
    "Regressable",
    "Views",
    "apply_views",
    "compositions",
    "make_views",
    "sample_parameters",
    "wrap_deg",
]
