"""Disk space of a study before it starts; disk and database failures while it runs."""

import dataclasses
import errno
import re
from pathlib import Path
from typing import Final, NamedTuple

import torch
from optuna.exceptions import StorageInternalError
from sqlalchemy import exc

from handssl.disk import free_bytes
from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from handssl.records.uri import is_bucket

_RECORD_BYTES: Final = 400_000
"""Of one trial: record, reports, joint errors, TensorBoard files. About 150 KB with the synthetic
hands, more with longer studies."""

_DISK_ERRORS: Final = {
    getattr(errno, name)
    # Quotas and network file systems have numbers that some systems lack.
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES", "EPERM", "ESTALE", "ENOTCONN")
    if hasattr(errno, name)
}
_DATABASE_ERRORS: Final = (
    StorageInternalError,
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
)


class DiskBudget(NamedTuple):
    """Bytes that a study needs on the disk of its results: for what stays, and at a time."""

    result_bytes: int  # records of all trials, and encoders if trial.keep_encoder
    working_bytes: int  # checkpoints of the trials that run at the same time
    free_bytes: int | None  # None for results in a bucket


def estimate_disk(
    config: EncoderConfig, *, trials: int, encoders: int, concurrent: int, results: str
) -> DiskBudget:
    """The budget of a number of further trials, some of which keep their encoder.

    A checkpoint is about four times the weights: the weights, two moments of the optimiser, and
    the heads. Nothing is written or trained.
    """
    with torch.device("meta"):
        encoder = build_encoder(dataclasses.replace(config, weights="random"))
    weights = sum(p.numel() * p.element_size() for p in encoder.parameters())
    return DiskBudget(
        result_bytes=trials * _RECORD_BYTES + encoders * weights,
        working_bytes=concurrent * 4 * weights,
        free_bytes=None if is_bucket(results) else free_bytes(Path(results)),
    )


def check_disk(budget: DiskBudget, results: str) -> None:
    """Refuse a study whose files do not fit on the disk."""
    needed = budget.result_bytes + budget.working_bytes
    if budget.free_bytes is not None and needed > budget.free_bytes:
        raise ConfigError(
            f"results={results} has {budget.free_bytes / 1e9:.1f} GB free, but the study needs "
            f"{budget.result_bytes / 1e9:.1f} GB for its records and encoders and "
            f"{budget.working_bytes / 1e9:.1f} GB for checkpoints; free some, choose another disk "
            "with results=FOLDER, or set trial.keep_encoder=false"
        )


def environment_error(error: BaseException) -> str | None:
    """The disk or database failure behind an error, in one line; None if it is a bug.

    Such failures stop a study without being bugs. Other errors of the operating system (a missing
    file, a wrong address) need their traceback.
    """
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno in _DISK_ERRORS:
            return " ".join(str(link).split())
        if isinstance(link, _DATABASE_ERRORS):
            return " ".join(str(link.__cause__ or link).split())
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return None


def environment_error_in_traceback(traceback: str) -> OSError | None:
    """The disk failure in a traceback that another process sent as text."""
    for code, message in re.findall(r"\[Errno (\d+)\] (.*)", traceback):
        if int(code) in _DISK_ERRORS:
            return OSError(int(code), message)
    return None
