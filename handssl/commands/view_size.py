"""The default side of a view: that of the encoder's pretraining."""

from pathlib import Path
from typing import Final

from handssl.encoders.weights import stated_preprocessing

_DEFAULT_PX: Final = 128


def view_size(weights: str, size_px: int | None) -> int:
    """`size_px` if set, else the side recorded in the file of weights, else 128."""
    if size_px is not None:
        return size_px
    if weights in ("random", "imagenet"):
        return _DEFAULT_PX
    stated = stated_preprocessing(Path(weights))
    return _DEFAULT_PX if stated is None else int(stated["size_px"])
