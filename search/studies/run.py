"""A study from start to end: check, run every trial without a record, compile the records.

To resume, run the same command again: finished trials are skipped, unfinished ones continue from
their checkpoint, failed ones are retried unless the failure is their result.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from handssl import records
from handssl.atomic import remove_partial
from handssl.errors import NonFiniteLossError
from handssl.records import BASELINES, TRIALS, Record
from handssl.records.uri import is_bucket, join_uri, redact
from search.cluster.session import cluster_session
from search.cluster.tune import early_stopping, run_jobs
from search.observers.display import Display
from search.observers.optuna_study import OptunaMirror, without_password
from search.observers.prometheus import StudyMetrics
from search.observers.tensorboard import TensorBoardLog
from search.observers.watch import StudyWatch
from search.space.point import point_from
from search.storage import s3
from search.storage.disk import check_disk, environment_error
from search.storage.folder import Folder, absolute_uri, cached_copy, delete_tree
from search.storage.lock import study_lock
from search.studies.baselines import record_image_blind
from search.studies.checks import check_same_study
from search.studies.plan import forecast_disk, print_plan
from search.studies.study import Records, Session, Stage, Study, count_missing
from search.trials.trial import Job, Trial


def run_study(study: Study, console: Console, *, verbose: bool = False) -> int:
    """Run a study, or print its plan; returns the exit status of the command.

    Raises:
        HandSSLError: The study cannot run; nothing has been started then.
    """
    folder = cached_copy(study.uri)
    recorded = len(list(folder.local_path.glob("trials/*/record.json")))
    check_disk(forecast_disk(study, max(0, study.remaining({}) - recorded)), study.config.results)
    if study.config.plan:
        folder.fetch_all("record.json")
        print_plan(study, records.read_trial_records(folder.local_path), console)
        return 0
    with study_lock(study.uri):
        folder.fetch("study.json")
        check_same_study(folder.local_path, study.description)
        try:
            records.write_json(folder.local_path / "study.json", study.description.to_dict())
            folder.put("study.json")
            return _run(study, folder, console, verbose=verbose)
        except Exception as error:
            reason = environment_error(error)
            if reason is None:
                raise
            console.print(
                f"[red]stopped by[/] {escape(reason)}; the records so far are in "
                f"{redact(study.uri)}: remove the cause, then run the same command again to "
                "continue",
                soft_wrap=True,
            )
            return 1


def _run(study: Study, folder: Folder, console: Console, *, verbose: bool) -> int:
    """All stages, then the table of the records."""
    session = _open_session(study, folder)
    total = len(session.records) + study.remaining(session.records)
    title = study.config.study.label or study.config.study.name
    console.print(f"[bold]{title}[/]", soft_wrap=True)
    console.print(f"{total} trials, {len(session.records)} already finished")
    before = session.records.values()
    display = Display(console, total=total, records=before, metric=study.search.metric)
    baselines = _baseline_jobs(study, folder, display)
    complete = True
    if baselines or total > len(session.records):
        with cluster_session(study.config.cluster, verbose=verbose) as dashboard:
            if dashboard:
                console.print(f"Ray dashboard {dashboard}")
            watch = StudyWatch(
                optuna=session.optuna,
                display=display,
                metrics=StudyMetrics(study.config.study.name, study.search.metric, before),
                tensorboard=TensorBoardLog(folder.local_path / "tensorboard", study.stores),
                finished=session.records,
            )
            with display:
                for stage in study.stages:
                    jobs = itertools.chain(baselines, _jobs(study, stage, session))
                    complete = complete and _run_stage(study, stage, jobs, watch)
                    baselines = []
    # A worker may have written a record while the driver was being interrupted.
    folder.fetch_all("record.json")
    recorded = records.read_trial_records(folder.local_path)
    records.compile_parquet(folder.local_path, recorded)
    folder.put("trials.parquet")
    return _summarise(study, folder, recorded, console, complete=complete)


def _open_session(study: Study, folder: Folder) -> Session:
    """Read the records, clean up after a killed session, bring Optuna up to date."""
    folder.fetch_all("record.json")
    recorded = records.read_trial_records(folder.local_path)
    _clean_up(folder, recorded)
    retried = {trial: record for trial, record in recorded.items() if _is_retryable(record)}
    repeated = {*retried, *study.outdated(recorded)}
    final = {trial: record for trial, record in recorded.items() if trial not in repeated}
    optuna = OptunaMirror(
        _database(study, folder),
        study.config.study.name,
        study.search,
        seed=study.config.study.seed,
        parameters=study.parameters,
    )
    begun = optuna.sync(final)
    failed = [point_from(r.point) for r in retried.values() if r.stage == 1]
    optuna.enqueue(study.first_points)
    return Session(records=final, optuna=optuna, adopted=[*begun, *failed])


def _baseline_jobs(study: Study, folder: Folder, display: Display) -> list[Job]:
    """Measure and print the image-blind answers; jobs of the other baselines without record."""
    baselines = study.baselines
    if baselines is None:
        return []
    recorded = records.read_trial_records(folder.local_path, BASELINES)
    known = {record.hash: record for record in recorded.values()}
    if baselines.image_blind_hash not in known:
        recorded |= record_image_blind(baselines, folder, _context(study))
    for record in recorded.values():
        display.baseline(record)
    return [
        _job(study, trial, BASELINES)
        for trial in baselines.random_weights
        if trial.hash not in known
    ]


def _run_stage(study: Study, stage: Stage, jobs: Iterator[Job], watch: StudyWatch) -> bool:
    """Run jobs of a stage; returns whether all have ended."""
    config, metric = study.config, study.search.metric
    return run_jobs(
        jobs,
        watch,
        trial=stage.resources,
        cluster=config.cluster,
        concurrent=config.search.concurrent,
        retries=config.search.retries,
        scratch=absolute_uri(join_uri(study.uri, "ray")),
        scheduler=early_stopping(stage.early_stopping, metric, epochs=config.study.epochs),
    )


def _jobs(study: Study, stage: Stage, session: Session) -> Iterator[Job]:
    """The trials of a stage that have no record."""
    for trial in stage.trials(session):
        if trial.id not in session.records:
            yield _job(study, trial, TRIALS)


def _job(study: Study, trial: Trial, folder: str) -> Job:
    return Job(
        trial=trial,
        metric=study.search.metric,
        directory=absolute_uri(join_uri(study.uri, folder, trial.id)),
        scratch=absolute_uri(join_uri(study.uri, "ray")),
        context=_context(study),
    )


def _context(study: Study) -> dict[str, Any]:
    """Fields of a record about its study."""
    fields = {key: getattr(study.description, key) for key in ("data", "versions", "git")}
    return {"study": study.description.name, **fields}


def _database(study: Study, folder: Folder) -> str:
    return study.config.search.storage or f"sqlite:///{folder.local_path}/optuna.db"


def _clean_up(folder: Folder, recorded: Mapping[str, Record]) -> None:
    """Delete the remains of a killed session: partial files, Tune's files, old checkpoints."""
    delete_tree(join_uri(folder.uri, "ray"))
    remote = s3.list_objects(folder.uri) if is_bucket(folder.uri) else None
    for directory in (folder.local_path, *folder.local_path.glob("trials/*")):
        remove_partial(directory)
    for trial, record in recorded.items():
        checkpoint = f"trials/{trial}/checkpoint.pt"
        # A retry of a failed trial may continue from its checkpoint.
        if not record.is_failed and (remote is None or checkpoint in remote):
            folder.remove(checkpoint)


def _is_retryable(record: Record) -> bool:
    """Whether a trial failed for a reason that may pass, such as a lost worker or a full disk."""
    return record.error is not None and record.error.type != NonFiniteLossError.__name__


def _summarise(
    study: Study, folder: Folder, recorded: Records, console: Console, *, complete: bool
) -> int:
    """Print the results and the next command; returns the exit status."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(f"records      {redact(join_uri(folder.uri, 'trials.parquet'))}")
    say(f"TensorBoard  tensorboard --logdir {folder.local_path}/tensorboard")
    say(f"Optuna       optuna-dashboard {without_password(_database(study, folder))}")
    if not complete:
        total = len(recorded) + study.remaining(recorded)
        say(
            f"[yellow]interrupted[/] after {len(recorded)} of {total} trials; run the same "
            "command again to continue"
        )
        return 130
    failed = [record for record in recorded.values() if record.is_failed]
    not_run = count_missing(study.planned, recorded)
    if failed:
        reason = escape(" ".join(failed[0].error.message.split())) if failed[0].error else ""
        retryable = any(map(_is_retryable, failed))
        advice = "; run the same command again to try again" if retryable else ""
        say(
            f"[red]{len(failed)} of {len(recorded)} trials failed[/]; the first, "
            f"{failed[0].trial}: {reason}{advice}"
        )
    if not_run:
        say(f"[red]{not_run} trials were not run[/]: the pretraining that they start from failed")
    if failed or not_run:
        return 1
    say(f"[green]complete[/]: {len(recorded)} trials")
    return 0
