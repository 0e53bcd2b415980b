"""study.json: the description of a study, from which every record and every caption quotes."""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, Final

from handssl import records
from handssl.data import Store
from handssl.records import StudyDescription
from handssl.records.uri import redact
from handssl.versions import versions
from search.config.schema import CommonConfig
from search.config.typed import to_dict
from search.observers.optuna_study import without_password
from search.trials.trial import Trial

_PASSWORD: Final = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*@")
"""USER:PASSWORD@ of a URL; an @ in a password is written %40."""


def describe(
    config: CommonConfig,
    *,
    script: str,
    overrides: Sequence[str],
    name: str,
    fingerprint: str,
    boxes: str,
    stores: Sequence[Store],
    encoders: Sequence[str],
    trials: Iterable[Trial],
) -> StudyDescription:
    """The content of study.json, from the command line and the planned trials.

    The data set has a name, a fingerprint and boxes; `stores` holds each of several once.
    """
    study, pretrain = config.study, config.trial.pretrain
    return StudyDescription(
        name=study.name,
        command=shlex.join(["python", script, *without_secrets(overrides)]),
        created_at=records.now(),
        fidelity={
            "label": study.label,
            "evidence": study.evidence,
            "images": sum(map(len, stores)),
            "epochs": study.epochs,
            "size_px": pretrain.size_px,
            "batch_size": pretrain.batch_size,
            "encoder": ", ".join(encoders),
        },
        data={
            "name": name,
            "fingerprint": fingerprint,
            "images_train": sum(len(store.split("train")) for store in stores),
            "images_val": sum(len(store.split("val")) for store in stores),
            "boxes": boxes,
        },
        versions=versions(),
        git=records.git_state(),
        plan=[
            {
                "trial": trial.id,
                "hash": trial.hash,
                "objective": trial.point.objective,
                "composition": trial.point.composition,
                "seed": trial.seed,
                "repeat": trial.point.repeat,
            }
            for trial in trials
        ],
        config=_public_config(config),
    )


def without_secrets(overrides: Sequence[str]) -> list[str]:
    """A command line without passwords of databases and keys of buckets.

    Example:
        >>> without_secrets(["results=s3://KEY:SECRET@bucket/studies"])
        ['results=s3://bucket/studies']
    """
    pairs = (override.partition("=") for override in overrides)
    return [key + sign + _PASSWORD.sub(r"\1:***@", redact(value)) for key, sign, value in pairs]


def _public_config(config: CommonConfig) -> dict[str, Any]:
    """The configuration without passwords of databases and keys of buckets."""
    public: dict[str, Any] = _redacted(to_dict(config))
    if config.search.storage:
        public["search"]["storage"] = without_password(config.search.storage)
    return public


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redact(value) if isinstance(value, str) else value
