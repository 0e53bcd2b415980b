"""Export to ONNX, checked against PyTorch."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from handssl.atomic import atomic_path
from handssl.errors import ConfigError, DataError

_NEEDED: Final = ("onnx", "onnxscript", "onnxruntime")
_TOLERANCE: Final = 1e-4
"""Of the largest difference, in units of the largest output."""


def export_onnx(
    model: nn.Module,
    path: Path,
    *,
    size_px: int,
    output: str,
    metadata: Mapping[str, Any] | None = None,
) -> float:
    """Write a model of images in [0, 1], any number at a time, as ONNX, and run it.

    Args:
        model: (B, 3, S, S) -> (B, ...); exported in evaluation mode.
        path: The file; it takes its name once it has passed.
        size_px: The side S, fixed.
        output: The output's name; the input's is `images`.
        metadata: Properties of the model, stored as JSON.

    Returns:
        The largest difference from PyTorch on two batches, over the largest output.

    Raises:
        ConfigError: If the packages that this needs are not installed.
        DataError: If ONNX Runtime's results differ from PyTorch's.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"onnx needs {', '.join(missing)}, not installed here; pip install 'handssl[onnx]'"
        )
    model = model.eval().cpu()
    example = torch.rand(2, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        model,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["images"],
        output_names=[output],
        verbose=False,
    )
    assert program is not None, "an export with dynamo returns a program"
    for name, value in (metadata or {}).items():
        program.model.metadata_props[name] = json.dumps(value)
    with atomic_path(path) as partial:
        program.save(partial)
        difference = max(_difference(model, partial, images) for images in (example, example[:1]))
        if not difference <= _TOLERANCE:
            raise DataError(
                f"the ONNX model must give PyTorch's results to {_TOLERANCE}, but they differ by "
                f"{difference:.2g}; report it with the versions of torch and onnxscript"
            )
    return difference


def _difference(model: nn.Module, path: Path, images: torch.Tensor) -> float:
    import onnxruntime  # noqa: PLC0415 - optional

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = model(images)
    if expected.shape != result.shape:
        return float("inf")
    scale = expected.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float((torch.from_numpy(result) - expected).abs().max() / scale)
