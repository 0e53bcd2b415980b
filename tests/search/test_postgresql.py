"""The Optuna view in a PostgreSQL server that is started here, where Debian's package is."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from handssl import records
from handssl.errors import ConfigError
from search.config.compose import compose_config
from search.config.schema import Config
from search.config.search import SearchConfig
from search.observers.optuna_study import OptunaMirror, without_password
from search.studies.grid import resolver_of
from search.studies.sampled import sampled_trials
from search.studies.study import Session
from search.trials.pretrain import PretrainTrial
from tests.search.observers.test_optuna_study import record_of
from tests.search.running import command, free_port, run_grid

PASSWORD = "not to be shown"  # with blanks, so that it must be quoted in a URL


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return packaged[-1].parent if packaged else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of an empty database; the server listens on this machine alone, for one password."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine; Debian's package postgresql brings it")
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:  # which the server refuses to run as
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    port = free_port()
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def call(program: str, *arguments: str) -> None:
        line = [*as_user, str(binaries / program), *arguments]
        subprocess.run(line, check=True, capture_output=True, cwd=folder)

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(
        "initdb", "-D", data, "-U", "handssl", "-A", "scram-sha-256", f"--pwfile={secret}",
        "--no-sync", "--locale=C", "--encoding=UTF8",
    )  # fmt: skip
    call("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
    try:
        quoted = PASSWORD.replace(" ", "%20")
        yield f"postgresql+psycopg://handssl:{quoted}@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def stored(url: str, name: str) -> list[optuna.trial.FrozenTrial]:
    storage = RDBStorage(url)
    try:
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.engine.dispose()


@pytest.fixture
def view_of() -> Iterator[Callable[..., OptunaMirror]]:
    """Makes views whose connections are closed in the end."""
    made: list[OptunaMirror] = []

    def make(url: str, name: str, search: SearchConfig) -> OptunaMirror:
        made.append(OptunaMirror(url, name, search))
        return made[-1]

    yield make
    for view in made:
        view.close()


View = Callable[..., OptunaMirror]


def test_a_killed_driver_is_healed_as_in_sqlite(
    server: str, view_of: View, small: Config, small_trials: list[PretrainTrial]
) -> None:
    unfinished, recorded, missing = small_trials[:3]
    killed = view_of(server, "healed", small.search)
    killed.mark_running(unfinished)
    killed.report(unfinished, 1, 9.0)
    killed.mark_running(recorded)
    found = {trial.id: record_of(trial) for trial in (recorded, missing)}
    view = view_of(server, "healed", small.search)
    assert view.sync(found) == [unfinished.point]
    view.mark_running(unfinished)
    view.report(unfinished, 1, 9.0)
    view.finish(record_of(unfinished, "pruned"))
    states = {t.user_attrs["trial"]: t.state.name for t in stored(server, "healed")}
    assert states == {unfinished.id: "PRUNED", recorded.id: "COMPLETE", missing.id: "COMPLETE"}
    assert len(stored(server, "healed")) == 3
    assert stored(server, "healed")[0].intermediate_values == {1: 9.0}


def test_tpe_samples_with_its_memory_in_the_server(server: str, view_of: View) -> None:
    config = compose_config(["search=tpe", "search.trials=12", f"search.storage='{server}'"])
    view = view_of(server, "sampled", config.search)
    finished: dict[str, records.Record] = {}
    session = Session(records=finished, optuna=view, adopted=[])
    trials = sampled_trials(config.search, resolver_of(config), session)
    for number, trial in enumerate(trials):
        finished[trial.id] = record_of(trial, value=float(number))
        view.finish(finished[trial.id])
    assert len(finished) == 12
    assert [t.value for t in stored(server, "sampled")] == list(range(12))


def test_a_password_that_is_wrong_is_refused_and_not_shown(server: str) -> None:
    wrong = server.replace("not%20to", "may%20not")
    with pytest.raises(ConfigError, match=r"search\.storage must be.*password") as refused:
        OptunaMirror(wrong, "s", compose_config().search)
    assert "may" not in str(refused.value)
    assert "not to be shown" not in without_password(server)


@pytest.mark.long
def test_a_whole_study_shows_in_the_server(
    server: str, embedded: Path, smallest: tuple[str, ...], tmp_path: Path
) -> None:
    overrides = ["study.name=whole", "search.augmentations=[rotate]"]
    base = [*command(embedded, smallest), *overrides, f"search.storage='{server}'"]
    done = run_grid(base, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {t.state.name for t in stored(server, "whole")} == {"COMPLETE"}
    assert not (tmp_path / "whole" / "optuna.db").exists()
    everything = done.stdout + "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*.json")
    )
    assert "not%20to%20be" not in everything
    assert "not to be shown" not in everything
