"""The Optuna study cannot be written to for a while."""

import time
from pathlib import Path

import pytest
import sqlalchemy

from tests.search.running import assert_complete, assert_same_outcome, await_that, started

pytestmark = pytest.mark.long

LOCKED_S = 60.0


def test_a_database_locked_for_a_minute_is_waited_for(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path}/small/optuna.db", connect_args={"timeout": 60}
    )
    with started(base, tmp_path) as process:
        await_that(process, lambda: list(tmp_path.glob("small/trials/*/checkpoint.pt")))
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            until = time.monotonic() + LOCKED_S
            while time.monotonic() < until:
                assert process.poll() is None, "it did not wait"
                time.sleep(0.2)
            connection.rollback()
        out, errors = process.communicate(timeout=300)
    engine.dispose()
    assert process.returncode == 0, (out, errors)
    assert "complete: 6 trials" in out
    assert_complete(tmp_path, trials=6)
    assert_same_outcome(tmp_path, undisturbed)
