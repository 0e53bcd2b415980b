import errno
import sqlite3

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import IntegrityError, OperationalError

from search.storage.environment_error import outage, outage_in


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
def test_what_the_disk_or_the_database_raises_is_an_outage(
    error: Exception, expected: str
) -> None:
    said = outage(error)
    assert said is not None
    assert expected in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a defect"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "study.json"),
        ConnectionError("no Ray there"),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")),
    ],
)
def test_a_defect_is_no_outage(error: Exception) -> None:
    assert outage(error) is None


def test_an_outage_that_was_dealt_with_does_not_excuse_a_later_defect() -> None:
    with pytest.raises(ValueError, match="a defect") as caught:  # noqa: PT012
        try:
            raise full_disk()
        except OSError:
            raise ValueError("a defect") from None
    assert outage(caught.value) is None


def test_an_outage_is_found_in_a_worker_s_traceback() -> None:
    text = (
        "ray::ResourceTrainable.train()\n"
        "FileNotFoundError: [Errno 2] No such file or directory: 'x'\n"
        "During handling of the above exception, another exception occurred:\n"
        "OSError: [Errno 28] No space left on device: 'checkpoint.pt'\n"
    )
    found = outage_in(text)
    assert found is not None
    assert found.errno == errno.ENOSPC
    assert "checkpoint.pt" in str(found)
    assert outage_in(text.replace("28", "2")) is None
