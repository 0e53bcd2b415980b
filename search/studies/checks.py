"""Checks before a study starts; each refusal names the way out.

Nothing is written here.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from handssl import records
from handssl.data import Store
from handssl.disk import existing_parent
from handssl.errors import ConfigError
from handssl.evaluation import DiagnosticsConfig, ProbeConfig, diagnosed
from handssl.records import StudyDescription
from handssl.records.uri import is_bucket, join_uri
from search.config.metric import AT_RUNGS
from search.config.renamed import upgrade_config
from search.config.search import SearchConfig
from search.config.typed import to_dict
from search.space.grid import corner_points, grid
from search.storage import s3
from search.trials.pretrain import PretrainTrial
from search.trials.resolve import Resolver

_FIXED_TRANSFER: Final = ("weights", "pretrain_repeats", "evaluate_on", "min_steps")


def check_points(search: SearchConfig, resolver: Resolver) -> None:
    """Refuse a search with a point that makes no valid trial, before any data is read.

    All points of a grid are checked, and the corner points of a sampled space.
    """
    points = grid(search) if search.kind == "grid" else corner_points(search)
    for trial in resolver.resolve_all(points):
        resolver.trial.check_batch(trial.pretrain.batch_size)
        _check_size(trial, min(trial.images.source_px))


def _check_size(trial: PretrainTrial, source_px: int) -> None:
    size_px = trial.pretrain.size_px
    if size_px > source_px:
        raise ConfigError(
            "trial.pretrain.size_px must be at most the side of the source crops, "
            f"{source_px}, but got size_px={size_px}; lower it, or raise data.source_px"
        )


def check_first_step(trials: Iterable[PretrainTrial], store: Store) -> None:
    """Refuse trials that cannot take a single step on these images."""
    images = len(store.split("train"))
    for trial in trials:
        _check_size(trial, store.source_px)
        batch_size, accumulation = trial.pretrain.batch_size, trial.pretrain.accumulation
        if batch_size * accumulation > images:
            raise ConfigError(
                f"trial.pretrain.batch_size x accumulation must be at most the {images} training "
                f"images, but got {batch_size} x {accumulation}; lower one of them, or raise "
                "study.images"
            )


def check_metrics(search: SearchConfig, diagnostics: DiagnosticsConfig, store: Store) -> None:
    """Refuse a search by a diagnostic that needs more validation images than there are."""
    images = len(store.split("val"))
    valid = (*AT_RUNGS, *diagnosed(diagnostics, images=images))
    for key, metric in search.metrics.items():
        if metric.name not in valid:
            raise ConfigError(
                f"{key}.name must be a metric of every record, but got name={metric.name}, for "
                f"which {images} validation images are too few; raise study.images, or name "
                "another"
            )


def check_writable(uri: str) -> None:
    """Refuse a results folder or bucket that cannot be made or written; leaves no trace."""
    if is_bucket(uri):
        with s3.as_config_error("results", uri):
            s3.write(join_uri(uri, ".probe"), b"")
            s3.delete(join_uri(uri, ".probe"))
        return
    folder = Path(uri)
    existing = existing_parent(folder)
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        raise ConfigError(
            f"results must be a folder that can be written to, but got results={folder.parent} "
            f"({error.strerror}: {existing}); choose another with results=FOLDER"
        ) from error


def check_same_study(folder: Path, study: StudyDescription) -> None:
    """Refuse to mix two studies: one may gain trials, but not change its data or its fidelity."""
    if not (folder / "study.json").exists():
        return
    before, name = records.read_description(folder), study.config["study"]["name"]
    fingerprints = before.data["fingerprint"], study.data["fingerprint"]
    if fingerprints[0] != fingerprints[1]:
        raise ConfigError(
            f"the data set changed under study.name={name} (fingerprint {fingerprints[0][:12]} "
            f"before, {fingerprints[1][:12]} now); choose another study.name, or restore the data"
        )
    old, new = _fixed(upgrade_config(before.config)), _fixed(study.config)
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            raise ConfigError(
                f"study.name={name} was run with {key}={old.get(key)}, but now got "
                f"{key}={new.get(key)}; choose another study.name, or give {key}={old.get(key)}"
            )


def _fixed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that all trials of a study share: fidelity, seed, metric."""
    trial, transfer = config["trial"], config.get("transfer", {})
    # A study may lack newer keys; before it had a metric it ranked by the paper's.
    paper = {"name": records.OBJECTIVE, "direction": "minimize"}
    search = to_dict(SearchConfig()) | {"metric": paper} | config.get("search", {})
    metrics = {key: search[key] for key in ("metric", "second_metric")}
    at_rungs = all(metric["name"] in AT_RUNGS for metric in metrics.values())
    parts = {
        "study": {key: config["study"][key] for key in ("epochs", "images", "seed")},
        "trial.pretrain": trial["pretrain"],
        "trial.probe": to_dict(ProbeConfig()) | trial["probe"],
        **{f"search.{key}": metric for key, metric in metrics.items()},
        "trial.diagnostics": {} if at_rungs else trial["diagnostics"],
        # Rows, and the pretrainings that they name, may change.
        "transfer": {key: transfer[key] for key in _FIXED_TRANSFER if key in transfer},
        "transfer.finetune": transfer.get("finetune", {}),
    }
    return {
        f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()
    }
