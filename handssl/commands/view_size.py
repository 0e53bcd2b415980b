"""The side of a view where a command was not told: that of the encoder's pretraining."""

from pathlib import Path
from typing import Final

from handssl.encoders.preprocessing import stated_preprocessing

_DEFAULT_PX: Final = 128


def view_size(weights: str, given: int | None) -> int:
    """The given side, else the one that a readable file of weights states, else 128."""
    if given is not None:
        return given
    if weights in ("random", "imagenet"):
        return _DEFAULT_PX
    stated = stated_preprocessing(Path(weights))
    return _DEFAULT_PX if stated is None else int(stated["size_px"])
