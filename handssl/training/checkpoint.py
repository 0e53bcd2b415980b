"""Checkpoints: written whole or not at all, read without unpickling code."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from handssl.atomic import atomic_path
from handssl.errors import ConfigError, DataError

SCHEMA: Final = 1


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint; after a kill or a power cut the file is the old one or the new one.

    Args:
        path: The file; its folder is made if needed.
        content: Tensors, numbers, strings and containers of them.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "run.ckpt"
        >>> save_checkpoint(path, {"step": 3})
        >>> load_checkpoint(path)["step"]
        3
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save({"schema": SCHEMA, **content}, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, tensors on the CPU.

    Raises:
        DataError: If the file is missing, cut short or not a checkpoint of this project.
        ConfigError: If it was written by another version of the format.
    """
    if not path.is_file():
        raise DataError(f"resume must be an existing checkpoint, but got resume={path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(
            f"the checkpoint {path} must be whole, but cannot be read "
            f"({type(error).__name__}); delete it and start again"
        ) from error
    if not isinstance(content, dict) or "schema" not in content:
        raise DataError(f"{path} must be a checkpoint of pretraining, but holds something else")
    if content["schema"] != SCHEMA:
        raise ConfigError(
            f"the checkpoint's schema must be {SCHEMA}, but {path} has "
            f"schema={content['schema']}; use the version that wrote it"
        )
    return content
