"""What must be right before a study starts; each refusal names the way out.

Nothing here writes anything but an empty results folder.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from handssl import records
from handssl.data import Store
from handssl.disk import existing_parent
from handssl.errors import ConfigError
from handssl.evaluation import diagnosed
from search.config.metric import AT_RUNGS
from search.config.renamed import upgrade_config
from search.config.schema import Config
from search.config.search import SearchConfig
from search.config.typed import to_dict
from search.observers.optuna_study import without_password
from search.space.corners import ends
from search.space.sample import grid
from search.storage import s3
from search.storage.s3 import is_bucket, join_uri
from search.trials.job import Planned
from search.trials.resolve import Trial, resolve_all

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*@")
"""USER:PASSWORD@ of a URL; an @ in a password is written %40."""


def check_points(config: Config) -> None:
    """Refuse a study with a point that makes no valid trial, before any data is looked at.

    All points of a grid are looked at, and the ends of a sampled space.
    """
    search = config.search
    points = grid(search) if search.kind == "grid" else ends(search)
    for trial in resolve_all(config, points, fingerprint=""):
        config.trial.check_batch(trial.pretrain.batch_size)
        _check_size(trial, config.data.source_px)


def _check_size(trial: Trial, source_px: int) -> None:
    size_px = trial.pretrain.size_px
    if size_px > source_px:
        raise ConfigError(
            "trial.pretrain.size_px must be at most the side of the source crops, "
            f"{source_px}, but got size_px={size_px}; lower it, or raise data.source_px"
        )


def check_fits(trials: Iterable[Trial], store: Store) -> None:
    """Refuse a study whose trials could not take a single step on these images."""
    images, source_px = len(store.split("train")), store.source_px
    for trial in trials:
        _check_size(trial, source_px)
        step = trial.pretrain.batch_size * trial.pretrain.accumulation
        if step > images:
            raise ConfigError(
                f"trial.pretrain.batch_size x accumulation must be at most the {images} training "
                f"images, but got {trial.pretrain.batch_size} x {trial.pretrain.accumulation}; "
                "lower one of them, or raise study.images"
            )


def check_metrics(config: Config, store: Store) -> None:
    """Refuse to search by a diagnostic that so few validation images do not have."""
    images = len(store.split("val"))
    given = (*AT_RUNGS, *diagnosed(config.trial.diagnostics, images=images))
    for key, metric in config.search.metrics.items():
        if metric.name not in given:
            raise ConfigError(
                f"{key}.name must be what every record will hold, but got name={metric.name}, for "
                f"which {images} validation images are too few; raise study.images, or name "
                "another"
            )


def check_writable(place: str) -> None:
    """Refuse a results folder or bucket that cannot be made or written to; leaves no trace."""
    if is_bucket(place):
        with s3.as_config_error("results", place):
            s3.write(join_uri(place, ".probe"), b"")
            s3.delete(join_uri(place, ".probe"))
        return
    folder = Path(place)
    existing = existing_parent(folder)
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        raise ConfigError(
            f"results must be a folder that can be written to, but got results={folder.parent} "
            f"({error.strerror}: {existing}); choose another with results=FOLDER"
        ) from error


def describe(
    config: Config, trials: Sequence[Trial], store: Store, overrides: Sequence[str]
) -> dict[str, Any]:
    """study.json: what the study is, from which every record and every caption quotes."""
    pretrain = config.trial.pretrain
    return {
        "schema": records.SCHEMA,
        "name": config.study.name,
        "command": " ".join(["python search/run_grid.py", *without_passwords(overrides)]),
        "created_at": records.now(),
        "fidelity": {
            "label": config.study.label,
            "evidence": config.study.evidence,
            "images": len(store),
            "epochs": config.study.epochs,
            "size_px": pretrain.size_px,
            "batch_size": pretrain.batch_size,
            "encoder": pretrain.encoder.name,
        },
        "data": {
            "name": config.data.name,
            "fingerprint": store.fingerprint,
            "images_train": len(store.split("train")),
            "images_val": len(store.split("val")),
            "boxes": store.info["boxes"],
        },
        "versions": records.versions(),
        "git": records.git_state(),
        "plan": describe_plan(trials),
        "config": shown_config(config, config.search.storage, "search"),
    }


def describe_plan(trials: Iterable[Planned]) -> list[dict[str, Any]]:
    """The planned trials as study.json lists them."""
    return [
        {
            "trial": trial.id,
            "hash": trial.hash,
            "objective": trial.point.objective,
            "composition": trial.point.composition,
            "seed": trial.seed,
            "repeat": trial.point.repeat,
        }
        for trial in trials
    ]


def shown_config(config: Any, storage: str | None, part: str) -> dict[str, Any]:
    """A configuration as it may be stored and shared: no password of a database in it.

    Args:
        config: The configuration.
        storage: URL of the database.
        part: The part of the configuration that has it, as `storage`.
    """
    shown: dict[str, Any] = _without_keys(to_dict(config))
    if storage:
        shown[part]["storage"] = without_password(storage)
    return shown


def _without_keys(value: Any) -> Any:
    """The same without the keys that URIs of buckets may hold."""
    if isinstance(value, dict):
        return {key: _without_keys(item) for key, item in value.items()}
    return s3.redact(value) if isinstance(value, str) else value


def without_passwords(overrides: Sequence[str]) -> list[str]:
    """A command line as it may be stored and shared: whatever is quoted or nested in it."""
    shown = []
    for override in overrides:
        key, equals, value = override.partition("=")
        shown.append(key + equals + _PASSWORD.sub(r"\1:***@", s3.redact(value)))
    return shown


def check_same_study(folder: Path, study: Mapping[str, Any]) -> None:
    """Refuse to mix: a study may gain trials, but not change its data or its fidelity."""
    path = folder / "study.json"
    if not path.exists():
        return
    before, name = records.read_record(path), study["config"]["study"]["name"]
    if before["data"]["fingerprint"] != study["data"]["fingerprint"]:
        raise ConfigError(
            f"the data set changed under study.name={name} (fingerprint "
            f"{before['data']['fingerprint'][:12]} before, {study['data']['fingerprint'][:12]} "
            "now); choose another study.name, or restore the data"
        )
    changed = _difference(_fixed(upgrade_config(before["config"])), _fixed(study["config"]))
    if changed:
        key, old, new = changed[0]
        raise ConfigError(
            f"study.name={name} was run with {key}={old}, but now got {key}={new}; "
            "choose another study.name"
        )


def _fixed(config: Mapping[str, Any]) -> dict[str, Any]:
    """What every trial of a study shares: its fidelity, its seed, its data."""
    trial = config["trial"]
    return {
        "study.epochs": config["study"]["epochs"],
        "study.images": config["study"]["images"],
        "study.seed": config["study"]["seed"],
        **{f"trial.pretrain.{key}": value for key, value in trial["pretrain"].items()},
        **{f"trial.probe.{key}": value for key, value in trial["probe"].items()},
        **dict(_fixed_search(config)),
        **{f"transfer.{key}": value for key, value in _fixed_transfer(config)},
    }


def _fixed_search(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a search goes by; one described before these keys were there went by the defaults."""
    if "search" not in config:
        return
    defaults = to_dict(SearchConfig())
    metrics = {
        key: config["search"].get(key, defaults[key]) for key in ("metric", "second_metric")
    }
    for key, metric in metrics.items():
        yield from ((f"search.{key}.{own}", value) for own, value in metric.items())
    if any(metric["name"] not in AT_RUNGS for metric in metrics.values()):
        diagnostics = config["trial"]["diagnostics"]
        yield from ((f"trial.diagnostics.{own}", value) for own, value in diagnostics.items())


def _fixed_transfer(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Of a transfer study: all but its rows and what they may be made of."""
    for key, value in config.get("transfer", {}).items():
        if key == "finetune":
            yield from ((f"finetune.{own}", setting) for own, setting in value.items())
        elif key in ("weights", "pretrain_repeats", "evaluate_on", "min_steps"):
            yield key, value


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, a.get(key), b.get(key)) for key in {**a, **b} if a.get(key) != b.get(key)]
