"""Preprocessing of images for the backbone, and its statement in files of weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors
import torch

from handssl.errors import ConfigError, DataError

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def preprocessing_of(size_px: int) -> dict[str, Any]:
    """The statement beside weights: RGB in [0, 1] at this size, minus mean, over std."""
    return {"size_px": size_px, "mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}


def check_preprocessing(stated: Mapping[str, Any], *, source: object) -> None:
    """Refuse weights that were made for another normalisation.

    Raises:
        ConfigError: If mean or standard deviation differ; the size is free.
        DataError: If the statement is incomplete.
    """
    try:
        mean, std = list(stated["mean"]), list(stated["std"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"the preprocessing of {source} must state size_px, mean and std, but is {stated}; "
            "export it again"
        ) from error
    if (mean, std) != (list(IMAGENET_MEAN), list(IMAGENET_STD)):
        raise ConfigError(
            f"preprocessing must normalise with ImageNet's mean and std, but {source} has "
            f"mean={mean}, std={std}; export it anew"
        )


def stated_preprocessing(path: Path) -> dict[str, Any] | None:
    """Preprocessing that a readable file of weights states; None for files of other projects."""
    if path.suffix == ".safetensors":
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("preprocessing")
        try:
            metadata: dict[str, Any] | None = None if text is None else json.loads(text)
        except ValueError as error:
            raise DataError(
                f"the preprocessing of {path} must be JSON, but got {text!r}; export it again"
            ) from error
        return metadata
    content = torch.load(path, map_location="cpu", weights_only=True)
    stated = content.get("preprocessing") if isinstance(content, dict) else None
    return stated if isinstance(stated, dict) else None
