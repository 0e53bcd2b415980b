"""`handssl export`: the encoder of a pretraining checkpoint, for torchvision or timm."""

import argparse
import json
from pathlib import Path

from rich.console import Console

from handssl.encoders import EncoderConfig, build_encoder, export_encoder
from handssl.errors import ConfigError, DataError
from handssl.training.checkpoint import load_checkpoint

__all__ = ["configure"]

_CARD = ("objective", "composition", "magnitudes", "epochs", "batch_size", "accumulation")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a pretraining run")
    parser.add_argument("--out", type=Path, required=True, help="the encoder: *.safetensors")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    source, out = arguments.checkpoint, arguments.out
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out must end in .safetensors, but got out={out}")
    content = load_checkpoint(source)
    identity = json.loads(content.get("identity", "{}"))
    if "config" not in identity:
        raise DataError(f"CHECKPOINT must be of a pretraining run, but {source} is not")
    config = identity["config"]
    encoder = build_encoder(EncoderConfig(name=config["encoder"]["name"], weights=str(source)))
    export_encoder(encoder, out, size_px=content["preprocessing"]["size_px"])
    card = {
        "encoder": config["encoder"],
        "feature_dim": encoder.feature_dim,
        "preprocessing": {"range": [0, 1], "order": "RGB", **content["preprocessing"]},
        "data": identity["data"],
        "seed": identity["seed"],
        "pretraining": {name: config[name] for name in _CARD},
        "finished_epochs": len(json.loads(content["history"])),
    }
    beside = out.with_suffix(".json")
    beside.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    Console().print(f"wrote {out} and {beside}", markup=False, highlight=False, soft_wrap=True)
    return 0
