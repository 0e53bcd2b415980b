"""Weights for a backbone, from ImageNet or a file of this project, torchvision or timm.

Files of this project state the preprocessing that their weights expect.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from handssl.encoders.backbones import CLASSIFIER, Backbone
from handssl.errors import ConfigError, DataError

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

_UNREADABLE = (
    *(RuntimeError, EOFError, OSError, ValueError, KeyError),
    *(pickle.UnpicklingError, safetensors.SafetensorError),
)
_CONTAINERS = ("encoder", "state_dict", "model")
_PREFIXES = ("module.", "encoder.", "backbone.", "backend_model.")
_NUMBERED = re.compile(r"(?:features\.)?(\d+)\.(.+)")
_BESIDE = re.compile(r"projection_head\.|zroot_ref\.")
"""Keys in PeCLR's files that are not the encoder's: a pretraining and a fine-tuning head."""


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


def imagenet_weights(name: str, backbone: Backbone) -> dict[str, Tensor]:
    """ImageNet weights of a backbone, from the local cache or the network.

    Raises:
        ConfigError: If they cannot be had; the message names the ways out.
    """
    try:
        return _tensors(backbone.imagenet())
    except (OSError, RuntimeError) as error:
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        raise ConfigError(
            f"encoder.weights must be obtainable, but got weights='imagenet' for name={name!r}, "
            f"and fetching them failed ({error}); download the file elsewhere and give its path "
            f"as encoder.weights=<path>, or put it into {cache}, or use encoder.weights=random"
        ) from error


def weights_file(path: Path) -> dict[str, Tensor]:
    """State dict of a backbone from a file, without unpickling anything but tensors.

    Understands safetensors, a plain state dict, one nested under `encoder`, `state_dict` or
    `model` (this project's checkpoints have the first), the prefixes that wrappers leave, and
    leaves the classifier out.

    Raises:
        DataError: If the file is missing, cut short, or holds no state dict.
    """
    if not path.is_file():
        raise DataError(
            f"encoder.weights must be random, imagenet or an existing file, but got weights={path}"
        )
    try:
        content: object
        if path.suffix == ".safetensors":
            content = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        if isinstance(error, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            raise DataError(
                f"encoder.weights must hold tensors alone, but {path} has pickled Python objects "
                "beside them, which are not run here; if you trust it, save its state dict with "
                "torch.save(torch.load(FILE, weights_only=False)['state_dict'], 'weights.pth')"
            ) from error
        raise DataError(
            f"encoder.weights must be a whole file of weights, but {path} cannot be read "
            f"({type(error).__name__}); copy or export it again"
        ) from error
    while isinstance(content, dict):
        inner = [content[key] for key in _CONTAINERS if isinstance(content.get(key), dict)]
        if not inner:
            break
        content = inner[0]
    tensors = _tensors(content)
    if not tensors:
        raise DataError(f"encoder.weights must be a state dict of tensors, but {path} holds none")
    return tensors


def load_backbone(
    backbone: nn.Module,
    weights: dict[str, Tensor],
    *,
    source: str,
    unused: re.Pattern[str] = CLASSIFIER,
) -> None:
    """Load a state dict strictly; unknown keys that match `unused` are left out.

    Numbered children, as a checkpoint of PeCLR has them, get the backbone's names, and its
    heads are left out.

    Raises:
        DataError: If keys or shapes differ; the message lists them.
    """
    expected = backbone.state_dict()
    weights = _named(weights, backbone)
    selected = {
        name: tensor
        for name, tensor in weights.items()
        if name in expected or not (unused.match(name) or _BESIDE.match(name))
    }
    missing = sorted(expected.keys() - selected.keys())
    unexpected = sorted(selected.keys() - expected.keys())
    reshaped = [
        f"{name} {tuple(selected[name].shape)} for {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & selected.keys())
        if expected[name].shape != selected[name].shape
    ]
    if missing or unexpected or reshaped:
        raise DataError(
            f"the weights of {source} must fit the encoder, but it lacks {_few(missing)}, has "
            f"unexpected {_few(unexpected)} and other shapes in {_few(reshaped)}; choose the "
            f"encoder.name that the file was made for"
        )
    backbone.load_state_dict(selected)


def _named(weights: dict[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Keys of `Sequential(*backbone.children())` under the children's names.

    PeCLR trains `encoder.features = Sequential(*resnet.children())`, without the classifier, and
    what `_BESIDE` matches beside it.
    """
    numbered = {
        key: match
        for key in weights
        if key not in backbone.state_dict() and (match := _NUMBERED.fullmatch(key))
    }
    names = {str(k): name for k, (name, _) in enumerate(backbone.named_children())}
    renamed = {
        key: f"{names[match[1]]}.{match[2]}"
        for key, match in numbered.items()
        if match[1] in names
    }
    return {renamed.get(key, key): tensor for key, tensor in weights.items()}


def _tensors(content: object) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        return {}
    tensors = {}
    for key, value in content.items():
        if isinstance(value, Tensor):
            name = str(key)
            while name.startswith(_PREFIXES):
                name = name.split(".", 1)[1]
            tensors[name] = value
    return tensors


def _few(names: list[str]) -> str:
    listed = ", ".join(names[:6]) or "nothing"
    return f"{listed} and {len(names) - 6} more" if len(names) > 6 else listed
