"""The results of a study's folder as plain values: every number that must stay, and no other.

Files are read as what they are (JSON, NumPy, safetensors, SQLite through Optuna), never by the
project's code, and only the fields that are named here: a new schema may add others.
"""

import ast
import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
import torch
import yaml  # type: ignore[import-untyped]
from numpy.typing import NDArray
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.numpy import load_file

RECORD: Final = (
    "hash",
    "seed",
    "repeat",
    "stage",
    "status",
    "objective",
    "composition",
    "epochs",
    "steps",
    "encoder_steps",
    "rungs",
    "metrics",
)
ERROR: Final = ("type", "step", "last_finite_loss", "parameter_norms")
EPOCH: Final = (
    "epoch",
    "step",
    "total_steps",
    "encoder_steps",
    "workers",
    "lr",
    "loss",
    "losses",
    "terms",
)
_METRIC: Final = re.compile(r"(ra_|pa_)?(mpjpe_cm|median_pje_cm|auc_\d+cm)")
"""Of the lines of metrics.jsonl: what the probe found at a rung."""

_TIMES: Final = re.compile(r"time|hours|\bs\)|price|cost", re.IGNORECASE)
"""Columns of tables that no two runs share."""


def study(folder: Path) -> dict[str, Any]:
    """Everything that a study's folder says about results."""
    description = _read_json(folder / "study.json")
    return {
        "data": {
            key: description["data"][key] for key in ("fingerprint", "images_train", "images_val")
        },
        "plan": [[row["trial"], row["hash"], row["seed"]] for row in description["plan"]],
        "optuna": list(_optuna(folder)),
        "trials": {
            path.parent.name: _trial(path.parent)
            for path in sorted(folder.glob("trials/*/record.json"))
        },
    }


def _trial(folder: Path) -> dict[str, Any]:
    record = _read_json(folder / "record.json")
    values = {key: record[key] for key in RECORD}
    if record.get("evaluations"):
        values["evaluations"] = record["evaluations"]
    if record["error"]:
        values["error"] = {key: record["error"].get(key) for key in ERROR}
    log = folder / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    values["reports"] = [_report(json.loads(line)) for line in lines]
    for path in sorted(folder.glob("errors*.npz")):
        with np.load(path) as arrays:
            values[path.name] = {key: _digest({key: arrays[key]}) for key in ("error_cm", "group")}
    weights = folder / "encoder.safetensors"
    if weights.exists():
        values["encoder"] = _digest(load_file(weights))
    return values


def _report(row: Mapping[str, Any]) -> dict[str, Any]:
    probed = {key: value for key, value in row.items() if _METRIC.fullmatch(key)}
    return {key: row[key] for key in EPOCH if key in row} | probed


def _optuna(folder: Path) -> Iterator[dict[str, Any]]:
    """The trials of the Optuna study by their number in the order in which they began."""
    path = folder / "optuna.db"
    if not path.exists():
        return
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    stored = optuna.load_study(study_name=folder.name, storage=f"sqlite:///{path}")
    for trial in stored.trials:
        yield {
            "trial": trial.user_attrs.get("trial"),
            "state": trial.state.name,
            "values": trial.values,
            "params": trial.params,
            "intermediate_values": {str(k): v for k, v in trial.intermediate_values.items()},
        }


def data_set(raw: Path, store: Path) -> dict[str, Any]:
    """A raw folder's images and labels as a digest, and what its store says of itself."""
    manifest = _read_json(store / "manifest.json")
    total = hashlib.sha256()
    for path in sorted(raw.rglob("*")):
        if path.suffix in (".jpg", ".json") and path.name != "synthetic.json":
            total.update(path.relative_to(raw).as_posix().encode() + path.read_bytes())
    return {
        "raw": total.hexdigest(),
        "fingerprint": manifest["fingerprint"],
        "counts": manifest["counts"],
    }


def checkpoint(path: Path) -> dict[str, Any]:
    """Weights and losses of a checkpoint: of a pretraining, a fine-tuning or a pose model."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    history = json.loads(content.get("history", "[]"))
    return {
        "weights": _digest(dict(_tensors(content))),
        "reports": [_report(row) for row in history],
    }


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, torch.Tensor):
        yield name, value.numpy()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{name}.{key}")


def decimals(text: str) -> list[str]:
    """The numbers with a decimal point in what a command says."""
    return re.findall(r"-?\d+\.\d+", text)


def configuration(text: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of what `--cfg job` prints: a key a line, `key: value  # meaning`."""
    parents: list[str] = []
    for line in text.splitlines():
        key, _, value = line.partition("  # ")[0].strip().partition(":")
        depth = (len(line) - len(line.lstrip())) // 2
        parents = [*parents[:depth], key]
        if value:
            yield from _leaves(_parsed(value.strip()), ".".join(parents))


_ENTRY: Final = re.compile(r"(\w+): \w+(\(.*?\))(?=, \w+: \w+\(|\}$)")
"""Of a mapping of dataclasses as it is printed, `{table2: RowGroup(encoder='resnet', …), …}`."""


def _parsed(value: str) -> Any:
    if entries := _ENTRY.findall(value):
        return {name: _keywords(arguments) for name, arguments in entries}
    try:
        content: Any = OmegaConf.to_container(OmegaConf.create(f"value: {value}"))
    except (yaml.YAMLError, OmegaConfBaseException):
        return value  # free text, such as a label
    return content["value"]


def _keywords(arguments: str) -> dict[str, Any]:
    call = ast.parse(f"_{arguments}", mode="eval").body
    assert isinstance(call, ast.Call)
    values = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    return json.loads(json.dumps(values))  # type: ignore[no-any-return]  # tuples become lists


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}")
    else:
        yield key, value


def tables(folder: Path) -> dict[str, list[list[str]]]:
    """The numbers in a report's tables, row by row; times are left out."""
    return {path.stem: list(_numbers(path)) for path in sorted(folder.glob("tables/*.csv"))}


def _numbers(path: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    kept = [index for index, name in enumerate(header) if not _TIMES.search(name)]
    for row in rows:
        yield [row[index] for index in kept if _is_number(row[index])]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of arrays with their names, types and shapes."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
