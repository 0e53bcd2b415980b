"""One driver per study: a file lock where the study is a folder, a lease where it is in a bucket.

An object store has no locks. The driver writes a lease object and renews it while it works. A
lease that changes while another driver watches it is held, so the clocks of two machines are
never compared. Two drivers that start at once both write, wait, and read: the last writer wins.

The lease guarantees one driver as long as a PUT takes less than `SETTLE_S` and no driver is
suspended for longer than `LEASE_S`. A driver that lost its lease stops as after Ctrl-C. If two
drivers ever overlap, they compute the same records twice, because the content of a record is
determined by its trial.
"""

import itertools
import json
import os
import platform
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from handssl.errors import ConfigError
from handssl.records.uri import is_bucket, join_uri, redact
from search.storage import s3

LEASE_S: Final = 30.0
"""A lease that was not renewed for this long is free."""

SETTLE_S: Final = 2.0
"""Longest duration of a PUT."""

_LOCK: Final = ".lock"


@contextmanager
def study_lock(uri: str) -> Iterator[None]:
    """Hold a study against a second driver while the block runs.

    The lock of a folder is released with the process, however it ends; a lease expires.

    Raises:
        ConfigError: Another driver holds it.
    """
    name = redact(uri).partition("?")[0].rstrip("/").rpartition("/")[2]
    if is_bucket(uri):
        with _leased(join_uri(uri, _LOCK), name):
            yield
        return
    Path(uri).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(Path(uri) / _LOCK, timeout=0):
            yield
    except Timeout as error:
        raise ConfigError(
            f"study.name={name} is being run by another process; wait for it, or choose "
            "another study.name"
        ) from error


@contextmanager
def _leased(uri: str, name: str) -> Iterator[None]:
    """Hold the lease object at a URI; the study's name is for the message."""
    lease = {"owner": uuid.uuid4().hex, "host": platform.node(), "pid": os.getpid()}
    _await_free(uri, name)
    _write(uri, lease, renewal=0)
    time.sleep(SETTLE_S)
    if not _is_owner(uri, lease):
        raise _refusal(name, s3.read(uri))
    stopped = threading.Event()
    renewer = threading.Thread(target=_renew, args=(uri, lease, stopped), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        stopped.set()
        renewer.join()
        if _is_owner(uri, lease):
            s3.delete(uri)


def _await_free(uri: str, name: str) -> None:
    """Return once the lease is free: it is missing, or was not renewed for `LEASE_S`."""
    first = s3.read(uri)
    watched_since = time.monotonic()
    while (current := s3.read(uri)) is not None and not _owner_ended(current):
        if current != first:
            raise _refusal(name, current)
        if time.monotonic() - watched_since > LEASE_S:
            return
        time.sleep(LEASE_S / 30)


def _renew(uri: str, lease: dict[str, Any], stopped: threading.Event) -> None:
    for renewal in itertools.count(1):
        if stopped.wait(LEASE_S / 4):
            return
        with suppress(OSError):  # the bucket may answer before the lease expires
            if not _is_owner(uri, lease):
                os.kill(os.getpid(), signal.SIGINT)
                return
            _write(uri, lease, renewal=renewal)


def _write(uri: str, lease: dict[str, Any], *, renewal: int) -> None:
    s3.write(uri, json.dumps(lease | {"renewal": renewal}).encode())


def _content(lease: bytes | None) -> dict[str, Any]:
    try:
        content = json.loads(lease or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_owner(uri: str, lease: dict[str, Any]) -> bool:
    return bool(_content(s3.read(uri)).get("owner") == lease["owner"])


def _owner_ended(lease: bytes) -> bool:
    """Whether the owner was a process of this machine that no longer exists."""
    content = _content(lease)
    if content.get("host") != platform.node():
        return False
    try:
        os.kill(int(content["pid"]), 0)
    except (OSError, KeyError, ValueError) as error:
        return isinstance(error, ProcessLookupError)
    return False


def _refusal(name: str, lease: bytes | None) -> ConfigError:
    content = _content(lease)
    return ConfigError(
        f"study.name={name} is being run by process {content.get('pid')} on "
        f"{content.get('host')}; wait for it, or choose another study.name"
    )
