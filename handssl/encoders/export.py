"""Export of an encoder for torchvision and timm, and of any model as ONNX, checked on PyTorch."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from torch import nn

from handssl.atomic import atomic_path
from handssl.encoders.encoder import Encoder
from handssl.encoders.weights import preprocessing_of
from handssl.errors import DataError, require

_NEEDED: Final = ("onnx", "onnxscript", "onnxruntime")
_TOLERANCE: Final = 1e-4
"""Of the largest difference, in units of the largest output."""


def export_encoder(
    encoder: Encoder, path: Path, *, size_px: int, card: Mapping[str, Any] | None = None
) -> None:
    """Write the backbone's state dict, with the preprocessing and a model card in its metadata.

    The keys are torchvision's or timm's, without the classifier's; `encoder.weights=<path>`
    reads the file back. A `.pth` or `.pt` is the plain state dict, which holds no metadata.

    Args:
        encoder: The encoder to write.
        path: The file, safetensors unless it ends in .pth or .pt; written atomically.
        size_px: Side of the views that the encoder was trained on.
        card: Description of the weights: data, objective, composition.

    Example:
        >>> import tempfile
        >>> from handssl.encoders import EncoderConfig, build_encoder
        >>> encoder = build_encoder(EncoderConfig(name="resnet10t"))
        >>> path = Path(tempfile.mkdtemp()) / "encoder.safetensors"
        >>> export_encoder(encoder, path, size_px=32)
        >>> again = build_encoder(EncoderConfig(name="resnet10t", weights=str(path)))
    """
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in encoder.backbone.state_dict().items()
    }
    with atomic_path(path) as partial:
        if path.suffix in (".pth", ".pt"):
            with partial.open("wb") as file:
                torch.save(tensors, file)
        else:
            metadata = {"preprocessing": json.dumps(preprocessing_of(size_px))}
            if card is not None:
                metadata["model_card"] = json.dumps(card)
            safetensors.torch.save_file(tensors, partial, metadata=metadata)


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
    require(
        not missing,
        f"onnx needs {', '.join(missing)}, not installed here; pip install 'handssl[onnx]'",
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
