"""One driver a study, where the study lies in a bucket: a lease in place of a lock.

An object store has no locks, so the holder writes an object, renews it while it works, and others
watch it: one that changes is held. The clocks of machines are never compared. Two drivers that
start at once both write, wait, and read again: the one whose writing came last holds it.

What this guarantees: one driver at a time, as long as a PUT takes less than `SETTLE_S` and a
holder is never stopped for longer than `LEASE_S` (a suspended laptop is). A holder that finds that
it has lost the lease stops as after Ctrl-C. Should two ever run side by side, trials are computed
twice, and their records are the same: a record's content is decided by its trial.
"""

import json
import os
import platform
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from handssl.errors import ConfigError
from search.storage import s3 as buckets

LEASE_S: Final = 30.0
"""A lease that has not been renewed for so long belongs to nobody."""

SETTLE_S: Final = 2.0
"""Longest that a PUT may be under way."""


@contextmanager
def leased(place: str, name: str) -> Iterator[None]:
    """Hold the lease at a place while the block runs.

    Args:
        place: Of the object.
        name: Of the study, for the message.

    Raises:
        ConfigError: Another driver holds it.
    """
    mine = {"owner": uuid.uuid4().hex, "host": platform.node(), "pid": os.getpid()}
    _await_free(place, name)
    _write(place, mine, renewal=0)
    time.sleep(SETTLE_S)
    if _owner(buckets.read(place)) != mine["owner"]:
        raise _held(name, buckets.read(place))
    ended = threading.Event()
    renewer = threading.Thread(target=_renew, args=(place, mine, ended), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        ended.set()
        renewer.join()
        if _owner(buckets.read(place)) == mine["owner"]:
            buckets.delete(place)


def _await_free(place: str, name: str) -> None:
    """Return once the lease is nobody's: at once, or when it has not been renewed for long."""
    first = buckets.read(place)
    watched_since = time.monotonic()
    while (now := buckets.read(place)) is not None and not _dead_here(now):
        if now != first:
            raise _held(name, now)
        if time.monotonic() - watched_since > LEASE_S:
            return
        time.sleep(LEASE_S / 30)


def _renew(place: str, mine: dict[str, Any], ended: threading.Event) -> None:
    renewal = 0
    while not ended.wait(LEASE_S / 4):
        renewal += 1
        try:
            if _owner(buckets.read(place)) != mine["owner"]:
                os.kill(os.getpid(), signal.SIGINT)
                return
            _write(place, mine, renewal=renewal)
        except OSError:
            continue  # the bucket may be back before the lease is over


def _write(place: str, mine: dict[str, Any], *, renewal: int) -> None:
    buckets.write(place, json.dumps(mine | {"renewal": renewal}).encode())


def _content(lease: bytes | None) -> dict[str, Any]:
    try:
        content = json.loads(lease or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _owner(lease: bytes | None) -> str | None:
    return _content(lease).get("owner")


def _dead_here(lease: bytes) -> bool:
    """Whether the holder was a process of this machine that is gone."""
    content = _content(lease)
    if content.get("host") != platform.node():
        return False
    try:
        os.kill(int(content["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, ValueError):
        return False
    return False


def _held(name: str, lease: bytes | None) -> ConfigError:
    content = _content(lease)
    return ConfigError(
        f"study.name={name} is being run by process {content.get('pid')} on "
        f"{content.get('host')}; wait for it, or choose another study.name"
    )
