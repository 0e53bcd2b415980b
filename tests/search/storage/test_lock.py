import json
import threading
import time
from pathlib import Path

import pytest

from handssl.errors import ConfigError
from handssl.records.uri import join_uri
from search.storage import lock, s3
from search.storage.lock import study_lock


def test_one_driver_holds_a_folder(tmp_path: Path) -> None:
    uri = f"{tmp_path}/small"
    with study_lock(uri), pytest.raises(ConfigError, match=r"study\.name=small"), study_lock(uri):
        pytest.fail("two drivers")
    with study_lock(uri):
        pass


def test_one_driver_holds_a_study(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SETTLE_S", 0.1)
    monkeypatch.setattr(lock, "LEASE_S", 1.5)
    with (
        study_lock(bucket),
        pytest.raises(ConfigError, match=r"study\.name=small is being run by process \d+ on "),
        study_lock(bucket),
    ):
        pytest.fail("two drivers")
    with study_lock(bucket):
        pass
    assert not any(name.endswith(".lock") for name in s3.list_objects(bucket))


def test_the_lease_of_a_lost_driver_expires(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SETTLE_S", 0.1)
    monkeypatch.setattr(lock, "LEASE_S", 1.0)
    lease = {"owner": "x", "host": "another machine", "pid": 1, "renewal": 7}
    s3.write(join_uri(bucket, ".lock"), json.dumps(lease).encode())
    began = time.monotonic()
    with study_lock(bucket):
        # Clocks are not compared: the driver watched the lease for LEASE_S.
        assert time.monotonic() - began > 1.0


def test_of_two_drivers_that_start_at_once_one_is_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "SETTLE_S", 0.5)
    holders: list[str] = []
    together = threading.Barrier(2)

    def start(name: str) -> None:
        together.wait()
        try:
            with study_lock(bucket):
                holders.append(name)
                time.sleep(1)
        except ConfigError:
            pass

    drivers = [threading.Thread(target=start, args=(name,)) for name in "ab"]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert len(holders) == 1
