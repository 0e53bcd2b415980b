"""`handssl export`: a pretrained encoder, for torchvision, timm or ONNX."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from handssl.commands.printing import print_lines
from handssl.encoders import Encoder, EncoderConfig, build_encoder, export_encoder
from handssl.encoders.export import export_onnx
from handssl.encoders.weights import preprocessing_of, stated_preprocessing
from handssl.errors import ConfigError, DataError
from handssl.training.checkpoint import load_checkpoint

_ENDINGS: Final = (".safetensors", ".pth", ".pt")
_PRETRAINING: Final = (
    "objective",
    "composition",
    "magnitudes",
    "epochs",
    "batch_size",
    "accumulation",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add(
        "checkpoint",
        type=Path,
        help="checkpoint.pt of a pretraining run, or a study's encoder.safetensors",
    )
    add("--out", type=Path, required=True, help="the encoder: *.safetensors, or *.pth")
    add("--record", type=Path, help="the trial's record.json; default the one beside CHECKPOINT")
    add("--onnx", action="store_true", help="write OUT with the ending .onnx too, and check it")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    source, out = arguments.checkpoint, arguments.out
    if out.suffix not in _ENDINGS:
        raise ConfigError(f"--out must end in {' or '.join(_ENDINGS)}, but got out={out}")
    if not source.is_file():
        raise DataError(f"CHECKPOINT must be an existing file, but got {source}")
    if out.resolve() == source.resolve():
        raise ConfigError(f"--out must be another file than CHECKPOINT, but got out={out}")
    beside = source.with_name("record.json")
    record = _record(arguments.record or (beside if beside.exists() else None))
    about = _of_study(source, record) if source.suffix == ".safetensors" else _of_run(source)
    encoder = build_encoder(EncoderConfig(name=about["encoder"]["name"], weights=str(source)))
    card = _card(encoder, about, record)
    export_encoder(encoder, out, size_px=about["size_px"], card=card)
    written = [out, out.with_suffix(".json")]
    written[1].write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    console = Console()
    if arguments.onnx:
        written.append(out.with_suffix(".onnx"))
        difference = export_onnx(
            encoder,
            written[-1],
            size_px=about["size_px"],
            output="features",
            metadata={"preprocessing": "inside", "model_card": card},
        )
        console.print(f"ONNX Runtime differs from PyTorch by {difference:.1e} of the largest")
    print_lines(console, f"wrote {', '.join(map(str, written))}")
    return 0


def _of_run(source: Path) -> dict[str, Any]:
    """Settings of a checkpoint's run."""
    content = load_checkpoint(source)
    identity = json.loads(content.get("identity", "{}"))
    if "config" not in identity:
        raise DataError(f"CHECKPOINT must be of a pretraining run, but {source} is not")
    finished = len(json.loads(content["history"]))
    return {
        **identity["config"],
        "data": identity["data"],
        "seed": identity["seed"],
        "finished_epochs": finished,
    }


def _of_study(source: Path, record: dict[str, Any] | None) -> dict[str, Any]:
    """Settings of an encoder's pretraining, from its trial's record."""
    if record is None:
        raise ConfigError(
            f"--record must be the record.json of the trial that {source} is from, but got none; "
            "the weights alone do not name their architecture"
        )
    try:
        about = {
            **record["config"],
            "data": record["data"],
            "seed": record["seed"],
            "finished_epochs": record["epochs"],
        }
    except (KeyError, TypeError) as error:
        raise DataError(f"--record must be a trial's record, but it lacks {error}") from error
    stated = stated_preprocessing(source)
    if stated is not None and stated["size_px"] != about["size_px"]:
        raise DataError(
            f"--record must be that of {source}, but it says size_px={about['size_px']}, and the "
            f"weights size_px={stated['size_px']}"
        )
    return about


def _record(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        text = path.read_bytes()
        content: dict[str, Any] = json.loads(text)
        return {
            **content,
            "source": {"hash": content["hash"], "sha256": hashlib.sha256(text).hexdigest()},
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"--record must be a trial's record.json, but {path}: {error}") from error


def _card(
    encoder: Encoder, about: dict[str, Any], record: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "encoder": about["encoder"],
        "feature_dim": encoder.feature_dim,
        "preprocessing": {"range": [0, 1], "order": "RGB", **preprocessing_of(about["size_px"])},
        "data": about["data"],
        "seed": about["seed"],
        "pretraining": {name: about[name] for name in _PRETRAINING},
        "finished_epochs": about["finished_epochs"],
        "record": None if record is None else record["source"],
        "metrics": None if record is None else record.get("metrics"),
    }
