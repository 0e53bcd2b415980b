"""Export of an encoder in a form that torchvision and timm load."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from handssl.atomic import atomic_path
from handssl.encoders.encoder import Encoder
from handssl.encoders.preprocessing import preprocessing_of


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
