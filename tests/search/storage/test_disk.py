import errno
import sqlite3
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import IntegrityError, OperationalError

from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from search.storage.disk import (
    DiskBudget,
    check_disk,
    environment_error,
    environment_error_in_traceback,
    estimate_disk,
)

ENCODER = EncoderConfig(name="resnet10t", weights="imagenet")


def test_encoders_and_checkpoints_are_counted_without_making_them(tmp_path: Path) -> None:
    encoder = build_encoder(EncoderConfig(name="resnet10t"))
    weights = sum(p.numel() * p.element_size() for p in encoder.parameters())
    results = str(tmp_path / "not yet" / "there")
    with_encoder = estimate_disk(ENCODER, trials=30, encoders=30, concurrent=2, results=results)
    without_encoder = estimate_disk(ENCODER, trials=30, encoders=0, concurrent=2, results=results)
    assert with_encoder.result_bytes - without_encoder.result_bytes == 30 * weights
    assert with_encoder.working_bytes == without_encoder.working_bytes == 2 * 4 * weights
    assert with_encoder.free_bytes
    check_disk(without_encoder, results)
    bucket = estimate_disk(ENCODER, trials=30, encoders=30, concurrent=2, results="s3://b/r")
    assert bucket.free_bytes is None
    check_disk(bucket, "s3://b/r")


def test_a_study_that_cannot_fit_is_refused_with_what_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"results=r has 1\.0 GB free, but .* 3\.0 GB for"):
        check_disk(DiskBudget(result_bytes=3 * 10**9, working_bytes=10**8, free_bytes=10**9), "r")


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", "checkpoint.pt")


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


LOCKED = OperationalError("UPDATE trials", {}, sqlite3.OperationalError("database is locked"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (full_disk(), "[Errno 28] No space left on device: 'checkpoint.pt'"),
        (PermissionError(errno.EACCES, "Permission denied"), "[Errno 13] Permission denied"),
        (raised_from(RuntimeError("Tune failed"), full_disk()), "[Errno 28]"),
        (LOCKED, "(sqlite3.OperationalError) database is locked"),
        (raised_from(StorageInternalError("invalid data?"), LOCKED), "database is locked"),
    ],
)
def test_disk_and_database_failures_are_environment_errors(
    error: Exception, expected: str
) -> None:
    reason = environment_error(error)
    assert reason is not None
    assert expected in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "study.json"),
        ConnectionError("no Ray there"),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")),
    ],
)
def test_a_bug_is_not_an_environment_error(error: Exception) -> None:
    assert environment_error(error) is None


def test_a_handled_failure_does_not_excuse_a_later_bug() -> None:
    with pytest.raises(ValueError, match="a bug") as caught:  # noqa: PT012
        try:
            raise full_disk()
        except OSError:
            raise ValueError("a bug") from None
    assert environment_error(caught.value) is None


def test_the_traceback_of_a_worker_names_the_disk_failure() -> None:
    text = (
        "ray::ResourceTrainable.train()\n"
        "FileNotFoundError: [Errno 2] No such file or directory: 'x'\n"
        "During handling of the above exception, another exception occurred:\n"
        "OSError: [Errno 28] No space left on device: 'checkpoint.pt'\n"
    )
    error = environment_error_in_traceback(text)
    assert error is not None
    assert error.errno == errno.ENOSPC
    assert "checkpoint.pt" in str(error)
    assert environment_error_in_traceback(text.replace("28", "2")) is None
