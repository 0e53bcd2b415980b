"""Export of an encoder in a form that torchvision and timm load."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from handssl.encoders.encoder import Encoder
from handssl.encoders.preprocessing import preprocessing_of


def export_encoder(
    encoder: Encoder, path: Path, *, size_px: int, card: Mapping[str, Any] | None = None
) -> None:
    """Write the backbone's state dict, with the preprocessing and a model card in its metadata.

    The keys are torchvision's or timm's own, without the classifier's; `encoder.weights=<path>`
    reads the file back. A `.pth` or `.pt` is the plain state dict, which has no room for metadata.

    Args:
        encoder: What to write.
        path: The file, safetensors unless it ends in .pth or .pt; taken over at once, so that no
            half of it is ever seen.
        size_px: Side of the views that the encoder was trained on.
        card: What the weights are: data, objective, composition.
    """
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in encoder.backbone.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    if path.suffix in (".pth", ".pt"):
        torch.save(tensors, temporary)
    else:
        metadata = {"preprocessing": json.dumps(preprocessing_of(size_px))}
        if card is not None:
            metadata["model_card"] = json.dumps(card)
        safetensors.torch.save_file(tensors, temporary, metadata=metadata)
    temporary.replace(path)
