"""Checkpoints: written whole or not at all, read without unpickling code."""

import io
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from handssl.errors import ConfigError, DataError

SCHEMA: Final = 1


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a kill or a power cut at any moment leaves the old or the new.

    The bytes go to a temporary file beside the target, reach the disk, and take its name at once.

    Args:
        path: The file; its folder is made if needed.
        content: Tensors, numbers, strings and containers of them.
    """
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, **content}, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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
