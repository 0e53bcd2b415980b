"""The watch of a study, driven by trials like those of Tune, without Ray and without training."""

import dataclasses
import errno
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from handssl import records
from search.config.compose import compose_config
from search.observers import watch as watch_module
from search.observers.display import Display
from search.observers.optuna_study import OptunaMirror
from search.observers.prometheus import StudyMetrics
from search.observers.tensorboard import TensorBoardLog
from search.observers.watch import StudyWatch
from search.space.grid import grid
from search.storage.folder import Folder
from search.studies.grid import resolver_of
from search.trials.build_record import record_of, write_record
from search.trials.trial import Job, Outcome

CONFIG = compose_config(["study.epochs=4", "search.augmentations=[rotate]"])


@pytest.fixture
def job(tmp_path: Path) -> Job:
    trial = resolver_of(CONFIG, "fingerprint").resolve_all(grid(CONFIG.search))[0]
    return Job(
        trial=dataclasses.replace(trial, rungs=(2,)),
        metric=CONFIG.search.metric,
        directory=f"{tmp_path}/trials/{trial.id}",
        scratch=f"{tmp_path}/ray",
        context={"study": "small", "data": {}, "versions": {}, "git": {}},
    )


class Session:
    """One session of a study with a single trial."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job
        self.out = io.StringIO()
        self.optuna = OptunaMirror(f"sqlite:///{folder}/optuna.db", "small", CONFIG.search)
        self.optuna.sync({})
        self.watch = StudyWatch(
            optuna=self.optuna,
            display=Display(
                Console(file=self.out, width=200), total=1, records=[], metric=job.metric
            ),
            metrics=StudyMetrics("small", job.metric),
            tensorboard=TensorBoardLog(folder / "tensorboard", {}),
            finished={},
        )
        self.tune_trial: Any = SimpleNamespace(
            config={"trial": job.trial.id, "job": job}, error_file=None
        )

    def start(self) -> None:
        self.watch.on_trial_start(0, [], self.tune_trial)

    def report(self, epoch: int, *, on_disk: bool = True, **probe: float) -> None:
        """What a trial does at the end of an epoch: append its row, and report it."""
        row = {
            "epoch": epoch,
            "step": 5 * epoch,
            "encoder_steps": 10 * epoch,
            "loss": 1.0 / epoch,
            "lr": 0.1,
            "images_per_s": 100.0,
            "terms": {"contrastive": 1.0 / epoch},
            "timings_s": {"total": 1.0},
            **probe,
        }
        log = Path(self.job.directory) / "metrics.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        if on_disk:
            records.append_jsonl(log, row)
        report = {"trial": self.job.trial.id, "done": False, "rung": bool(probe), **row}
        self.watch.on_trial_result(0, [], self.tune_trial, report)

    def complete(self) -> None:
        self.watch.on_trial_complete(0, [], self.tune_trial)

    def fail(self, traceback: str) -> None:
        path = self.folder / "error.txt"
        path.write_text(f"Failure # 1 (occurred at …)\n{traceback}\n")
        self.tune_trial.error_file = str(path)
        self.watch.on_trial_error(0, [], self.tune_trial)

    def scalars(self, name: str) -> list[int]:
        events = EventAccumulator(str(self.folder / "tensorboard" / self.job.trial.id)).Reload()
        return [event.step for event in events.Scalars(name)]

    def stored(self) -> optuna.trial.FrozenTrial:
        url = f"sqlite:///{self.folder}/optuna.db"
        [trial] = optuna.load_study(study_name="small", storage=url).trials
        return trial


@pytest.fixture
def session(tmp_path: Path, job: Job) -> Session:
    return Session(tmp_path, job)


def test_a_trial_that_reports_and_ends_is_followed_everywhere(session: Session, job: Job) -> None:
    session.start()
    assert session.watch.running == {job.trial.id}
    assert session.stored().state.name == "RUNNING"
    session.report(1)
    session.report(2, median_pje_cm=19.0, ra_median_pje_cm=9.0)
    assert session.stored().intermediate_values == {2: 9.0}
    folder = Folder(job.directory, Path(job.directory))
    rows = records.read_jsonl(Path(job.directory) / "metrics.jsonl")
    write_record(
        folder,
        record_of(job, "finished", rows, outcome=Outcome(metrics={"ra_median_pje_cm": 8.0})),
    )
    session.watch.on_trial_result(
        0, [], session.tune_trial, {"done": True, "status": "finished", "epoch": 2}
    )
    session.complete()
    assert session.watch.error is None
    assert session.watch.running == set()
    assert session.watch.finished[job.trial.id].status == "finished"
    assert (session.stored().state.name, session.stored().value) == ("COMPLETE", 8.0)
    assert session.scalars("pretrain/loss") == [5, 10]
    assert session.scalars("probe/ra_median_pje_cm") == [10]
    assert "8.00 cm" in session.out.getvalue()


def test_the_reports_on_disk_are_read_once_per_start(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read = watch_module._rows

    def counting(folder: Folder) -> list[dict[str, Any]]:
        reads.append(folder.uri)
        return read(folder)

    monkeypatch.setattr(watch_module, "_rows", counting)
    session.start()
    for epoch in range(1, 4):
        session.report(epoch)
    assert len(reads) == 1
    session.start()  # its worker was lost
    assert len(reads) == 2
    assert session.watch.error is None


def test_a_trial_that_is_stopped_early_gets_a_record(session: Session, job: Job) -> None:
    session.start()
    session.report(1)
    session.report(2, median_pje_cm=19.0, ra_median_pje_cm=9.0)
    session.complete()
    record = records.read_record(Path(job.directory) / "record.json")
    assert (record.status, record.epochs) == ("pruned", 2)
    assert record.rungs == (
        records.Rung(epoch=2, step=10, metrics={"median_pje_cm": 19.0, "ra_median_pje_cm": 9.0}),
    )
    assert session.stored().state.name == "PRUNED"
    assert "pruned" in session.out.getvalue()


def test_a_restarted_trial_has_each_epoch_once(session: Session) -> None:
    session.start()
    session.report(1)
    session.report(2)
    session.start()
    session.report(2, on_disk=False)  # trained again from the checkpoint of epoch 1
    session.report(4)  # the report of epoch 3 was lost, and its row never written
    session.complete()
    assert session.scalars("pretrain/loss") == [5, 10, 20]
    assert session.watch.error is None


def test_a_trial_of_an_interrupted_session_continues_its_curves(
    session: Session, tmp_path: Path, job: Job
) -> None:
    session.start()
    session.report(1)
    session.report(2, median_pje_cm=19.0, ra_median_pje_cm=9.0)
    later = Session(tmp_path, job)
    later.start()
    later.report(3)
    later.complete()
    assert later.watch.error is None
    assert later.scalars("pretrain/loss") == [5, 10, 15]
    assert later.stored().intermediate_values == {2: 9.0}


def test_the_record_of_an_earlier_failure_is_deleted_at_the_start(
    session: Session, job: Job
) -> None:
    folder = Folder(job.directory, Path(job.directory))
    write_record(folder, record_of(job, "failed", [], error="ValueError: x"))
    session.start()
    assert not (Path(job.directory) / "record.json").exists()


def test_a_trial_that_fails_gets_a_record_with_the_reason(session: Session, job: Job) -> None:
    session.fail("Traceback …\nValueError: the loss is wrong")  # before it could start
    record = records.read_record(Path(job.directory) / "record.json")
    assert record.error is not None
    assert (record.status, record.error.type) == ("failed", "ValueError")
    assert session.stored().state.name == "FAIL"
    assert "the loss is wrong" in session.out.getvalue()
    assert session.watch.error is None


def test_a_full_disk_of_a_worker_stops_the_study(session: Session, job: Job) -> None:
    session.start()
    session.fail("Traceback …\nOSError: [Errno 28] No space left on device: 'checkpoint.pt'")
    assert isinstance(session.watch.error, OSError)
    assert session.watch.error.errno == errno.ENOSPC
    assert not (Path(job.directory) / "record.json").exists()


def test_the_first_error_of_a_hook_is_stored_and_no_hook_runs_after_it(session: Session) -> None:
    session.report(1)  # of a trial that has not started
    assert isinstance(session.watch.error, KeyError)
    session.start()
    assert session.watch.running == set()
