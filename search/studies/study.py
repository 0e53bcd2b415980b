"""A study from start to end: check everything, run what has no record yet, compile.

Resuming is running the same command again: finished trials are skipped, unfinished ones continue
from their checkpoint, failed ones are tried again unless failing is their result.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from handssl import records
from handssl.errors import NonFiniteLossError
from handssl.records import Record
from search.cluster.resources import check_resources
from search.cluster.session import cluster_session
from search.cluster.tune import early_stopping, run_jobs
from search.config.schema import Config
from search.config.search import EarlyStopping
from search.observers.display import Display
from search.observers.optuna_study import OptunaMirror, ParametersOf, without_password
from search.observers.prometheus import StudyMetrics
from search.observers.tensorboard import TensorBoardLog, view_sheet
from search.observers.watch import StudyWatch
from search.space.sample import Point, grid
from search.storage import s3
from search.storage.disk import check_disk, environment_error
from search.storage.folder import Folder, absolute_uri, cached_copy, delete_tree
from search.storage.lock import study_lock
from search.storage.s3 import is_bucket, join_uri
from search.studies.checks import (
    check_fits,
    check_metrics,
    check_points,
    check_same_study,
    check_writable,
    describe,
)
from search.studies.plan import forecast_disk, print_plan
from search.studies.sampled import again, sampled, trials_again, warm_start
from search.trials.datasets import open_data
from search.trials.job import Job
from search.trials.pretrain import TrialJob
from search.trials.resolve import Trial, point_from, resolve_all


def run_study(
    config: Config, *, console: Console, verbose: bool = False, overrides: Sequence[str] = ()
) -> int:
    """Run a study and return the exit status of the command.

    Args:
        config: The checked configuration.
        console: Where progress goes.
        verbose: Whether Ray's own messages are shown.
        overrides: The command line, for the record.

    Raises:
        HandSSLError: Whatever must be put right first; nothing has been started then.
    """
    check_resources(config.trial, config.cluster)
    check_points(config)
    place = join_uri(config.results, config.study.name)
    check_writable(place)
    home = cached_copy(place)
    folder = home.local_path
    first = warm_start(config)
    store = open_data(config.data, console)
    if config.study.images is not None:
        store = store.take(config.study.images)
    planned = resolve_all(config, _planned(config), store.fingerprint)
    shown = planned or [_example(config, store.fingerprint)]
    check_fits(shown, store)
    check_metrics(config, store)
    done = len(list(folder.glob("trials/*/record.json")))
    left = max(0, (len(planned) or config.search.trials) - done)
    check_disk(forecast_disk(config, shown, left), config.results)
    if config.plan:
        home.fetch_all("record.json")
        print_plan(config, shown, records.read_records(folder), store, console)
        return 0
    study = describe(config, planned, store, overrides)

    def run() -> int:
        own = StudyRun(
            config,
            home=home,
            study=study,
            planned=planned,
            first=first,
            views=lambda trial: view_sheet(trial.pretrain, store),
            console=console,
        )
        return own.to_the_end(verbose=verbose)

    return run_held(home, study, run, console)


def run_held(
    home: Folder, study: Mapping[str, Any], run: Callable[[], int], console: Console
) -> int:
    """Run a study with its folder held against a second driver; returns the exit status.

    Args:
        home: Its folder.
        study: Its description.
        run: What runs it to the end.
        console: Where to say why it had to stop.

    Raises:
        HandSSLError: The folder is another study's, or another process runs it.
    """
    with study_lock(home.uri):
        home.fetch("study.json")
        check_same_study(home.local_path, study)
        try:
            records.write_json(home.local_path / "study.json", study)
            home.put("study.json")
            return run()
        except Exception as error:
            reason = environment_error(error)
            if reason is None:
                raise
            console.print(
                f"[red]stopped[/] by {escape(reason)}; what has ended is kept in "
                f"{s3.redact(home.uri)}: put "
                "that right, then run the same command again to continue",
                soft_wrap=True,
            )
            return 1


def _planned(config: Config) -> list[Point]:
    """The points of a grid; a sampled search plans none."""
    return grid(config.search) if config.search.kind == "grid" else []


def _example(config: Config, fingerprint: str) -> Trial:
    """A trial that stands for those of a sampled search, whose points are not known yet."""
    with_defaults = dataclasses.replace(
        config.search, kind="grid", space={}, early_stopping=EarlyStopping()
    )
    return resolve_all(config, grid(with_defaults)[-1:], fingerprint)[0]


class StudyRun:
    """One run of a study whose folder is held.

    What it runs, in two stages of which the second needs the first, is what a subclass may change.

    Args:
        config: The configuration.
        home: Folder of the study.
        study: Its description.
        planned: The trials of a grid.
        first: Points to begin a sampled search with.
        views: Draws what a trial sees, for TensorBoard; None where that means nothing.
        console: Where progress goes.
        parameters: How the Optuna study shows a point; as the search space would, unless given.
        compares: Whether all trials answer one question, so that one of them is the best.
    """

    def __init__(
        self,
        config: Config,
        *,
        home: Folder,
        study: Mapping[str, Any],
        planned: Sequence[Trial] = (),
        first: Sequence[Point] = (),
        views: Callable[[Any], NDArray[np.uint8]] | None = None,
        console: Console,
        parameters: ParametersOf | None = None,
        compares: bool = True,
    ) -> None:
        self._config = config
        self._home = home
        self._folder = home.local_path
        self._study = study
        self._planned = planned
        self._views = views
        self._console = console
        self._compares = compares
        home.fetch_all("record.json")
        existing = records.read_records(self._folder)
        _tidy(home, existing)
        self._finished = {name: r for name, r in existing.items() if not _to_run(r)}
        self._url = config.search.storage or f"sqlite:///{self._folder}/optuna.db"
        self._view = OptunaMirror(
            self._url,
            config.study.name,
            config.search,
            seed=config.study.seed,
            parameters=parameters,
        )
        failed = [r for r in existing.values() if r["stage"] == 1 and _to_run(r)]
        self._adopted = [
            *self._view.sync(self._finished),
            *(point_from(record["point"]) for record in failed),
        ]
        self._view.enqueue(first)

    def to_the_end(self, *, verbose: bool) -> int:
        """Both stages, as far as they have not been run; then compile and conclude."""
        complete = True
        say = self._console.print
        say(_headline(self._config), soft_wrap=True)
        say(f"{self._total()} trials, {len(self._finished)} already finished")
        if self._left():
            display = Display(
                self._console,
                total=self._total(),
                records=self._finished.values(),
                metric=self._config.search.metric,
                comparable=self._compares,
            )
            with cluster_session(self._config.cluster, verbose=verbose) as dashboard:
                watch = StudyWatch(
                    optuna=self._view,
                    display=display,
                    metrics=StudyMetrics(
                        self._config.study.name,
                        self._config.search.metric,
                        self._finished.values(),
                    ),
                    tensorboard=TensorBoardLog(self._folder / "tensorboard", self._views),
                    finished=self._finished,
                )
                if dashboard:
                    say(f"Ray dashboard {dashboard}")
                with display:
                    complete = self._run(self._stage_one(), watch, stops=True) and self._run(
                        self._stage_two(), watch, stops=False
                    )
        # What a worker wrote while the driver was being interrupted counts as well.
        self._home.fetch_all("record.json")
        self._finished = records.read_records(self._folder)
        records.compile_parquet(self._folder, self._finished)
        self._home.put("trials.parquet")
        return self._conclude(complete)

    def _run(self, trials: Iterator[Any], watch: StudyWatch, *, stops: bool) -> bool:
        jobs = (self._job(trial, may_stop=stops) for trial in trials)
        scratch = absolute_uri(join_uri(self._home.uri, "ray"))
        config, search = self._config, self._config.search
        return run_jobs(
            jobs,
            watch,
            trial=config.trial,
            cluster=config.cluster,
            concurrent=search.concurrent,
            retries=search.retries,
            scratch=scratch,
            scheduler=early_stopping(
                search.early_stopping, search.metric, epochs=config.study.epochs
            )
            if stops
            else None,
        )

    def _stage_one(self) -> Iterator[Any]:
        if self._config.search.kind == "grid":
            return (trial for trial in self._planned if trial.id not in self._finished)
        fingerprint = self._study["data"]["fingerprint"]
        return sampled(self._config, self._view, fingerprint, self._finished, self._adopted)

    def _stage_two(self) -> Iterator[Any]:
        return (trial for trial in self._best_again() if trial.id not in self._finished)

    def _best_again(self) -> Sequence[Trial]:
        seeds, first = self._config.search.second_stage.seeds, self._config.search.repeats
        points = [
            dataclasses.replace(point, repeat=repeat)
            for repeat in range(first, first + seeds)
            for point in again(self._config, self._finished)
        ]
        fingerprint = self._study["data"]["fingerprint"]
        return resolve_all(self._config, points, fingerprint, stage=2)

    def _total(self) -> int:
        return len(self._finished) + self._left()

    def _left(self) -> int:
        """Trials without a record; at most so many, while the second stage has not been chosen."""
        if self._config.search.kind == "grid":
            first = sum(trial.id not in self._finished for trial in self._planned)
        else:
            ended = sum(record["stage"] == 1 for record in self._finished.values())
            first = max(0, self._config.search.trials - ended)
        if first:
            return first + trials_again(self._config)
        return sum(trial.id not in self._finished for trial in self._best_again())

    def _job(self, trial: Any, *, may_stop: bool) -> Job:
        config, search = self._config, self._config.search
        stopping = search.early_stopping.rungs(config.study.epochs) if may_stop else ()
        return TrialJob(
            trial=trial,
            probe=config.trial.probe,
            diagnostics=config.trial.diagnostics,
            metric=search.metric,
            rungs=tuple(sorted({*search.rungs, *stopping})),
            may_stop=bool(stopping),
            store=absolute_uri(config.data.store),
            source_px=config.data.source_px,
            images=config.study.images,
            directory=absolute_uri(join_uri(self._home.uri, "trials", trial.id)),
            scratch=absolute_uri(join_uri(self._home.uri, "ray")),
            keep_encoder=config.trial.keep_encoder,
            context={
                "study": self._study["name"],
                **{key: self._study[key] for key in ("data", "versions", "git")},
            },
        )

    def _conclude(self, complete: bool) -> int:
        """Say how it ended and what to type next; the exit status follows."""

        def say(text: str) -> None:
            self._console.print(text, soft_wrap=True)

        failed = [record for record in self._finished.values() if record["status"] == "failed"]
        say(f"records      {s3.redact(join_uri(self._home.uri, 'trials.parquet'))}")
        say(f"TensorBoard  tensorboard --logdir {self._folder}/tensorboard")
        say(f"Optuna       optuna-dashboard {without_password(self._url)}")
        if not complete:
            say(
                f"[yellow]interrupted[/] after {len(self._finished)} of {self._total()} trials; "
                "run the same command again to continue"
            )
            return 130
        if failed:
            why = escape(" ".join(failed[0]["error"]["message"].split()))
            mends = any(map(_to_run, failed))
            say(
                f"[red]{len(failed)} of {len(self._finished)} trials failed[/]; the first, "
                f"{failed[0]['trial']}: {why}"
                + ("; run the same command again to try again" if mends else "")
            )
            return 1
        say(f"[green]complete[/]: {len(self._finished)} trials")
        return 0


def _tidy(home: Folder, existing: Mapping[str, Record]) -> None:
    """Remove what a killed run left: halves of files, Tune's own, checkpoints of ended trials."""
    folder = home.local_path
    delete_tree(join_uri(home.uri, "ray"))
    left = s3.list_objects(home.uri) if is_bucket(home.uri) else None
    for own in (folder, *folder.glob("trials/*")):
        records.remove_halves(own)
    for trial, record in existing.items():
        checkpoint = f"trials/{trial}/checkpoint.pt"
        # Another try of one that failed may continue from it.
        if record["status"] != "failed" and (left is None or checkpoint in left):
            home.remove(checkpoint)


def _to_run(record: Record) -> bool:
    """Whether it failed in a way that another try may mend (a lost worker, a full disk)."""
    failed: bool = record["status"] == "failed"
    return failed and record["error"]["type"] != NonFiniteLossError.__name__


def _headline(config: Config) -> str:
    return f"[bold]{config.study.label or config.study.name}[/]"
