"""Export of an encoder in a form that torchvision and timm load."""

import json
from pathlib import Path

import safetensors.torch

from handssl.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, Encoder

__all__ = ["export_encoder"]


def export_encoder(encoder: Encoder, path: Path, *, size_px: int) -> None:
    """Write the backbone's state dict as safetensors, with the preprocessing in its metadata.

    The keys are torchvision's or timm's own, without the classifier's; `encoder.weights=<path>`
    reads the file back.

    Args:
        encoder: What to write.
        path: The file; taken over at once, so that no half of it is ever seen.
        size_px: Side of the views that the encoder was trained on.
    """
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in encoder.backbone.state_dict().items()
    }
    preprocessing = {"size_px": size_px, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    safetensors.torch.save_file(
        tensors, temporary, metadata={"preprocessing": json.dumps(preprocessing)}
    )
    temporary.replace(path)
