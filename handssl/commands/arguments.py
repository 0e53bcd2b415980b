"""From parsed arguments to configurations."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, Final

from handssl.encoders.weights import stated_preprocessing

_DEFAULT_PX: Final = 128


def add_encoder(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that trains on labels: encoder, data, side of a view."""
    add = parser.add_argument
    add("--encoder", required=True, help="file of weights, random, or imagenet")
    add("--name", default="resnet18", help="architecture: resnet18, hrnet_w18, timm:<name>, ...")
    add("--store", type=Path, required=True)
    add("--label-fraction", type=float, default=1.0, help="share of the training poses")
    add("--size-px", type=int, help="side of a view; default that of the weights, or 128")
    add("--seed", type=int, default=0)
    add("--device", default="cpu")


def fields_of(config: type, arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments that have the names of a dataclass's fields."""
    names = (field.name for field in dataclasses.fields(config))
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def view_size(weights: str, size_px: int | None) -> int:
    """`size_px` if set, else the side recorded in the file of weights, else 128."""
    if size_px is not None:
        return size_px
    stated = None if weights in ("random", "imagenet") else stated_preprocessing(Path(weights))
    return _DEFAULT_PX if stated is None else int(stated["size_px"])
