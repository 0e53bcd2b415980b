"""A study from start to end: check everything, run what has no record yet, compile.

Resuming is running the same command again: finished trials are skipped, unfinished ones continue
from their checkpoint, failed ones are tried again unless failing is their result.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from optuna.exceptions import StorageInternalError
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from handssl.data import Store
from handssl.errors import NonFiniteLossError
from search import buckets, records
from search.bridge import OptunaView, without_password
from search.buckets import is_bucket, join
from search.config import Config, EarlyStopping
from search.datasets import open_data
from search.display import Display
from search.folders import Folder, delete_tree, everywhere, mirrored
from search.metrics import StudyMetrics
from search.plan import print_plan
from search.preflight import (
    check_fits,
    check_resources,
    check_same_study,
    check_writable,
    describe,
    exclusive,
)
from search.records import Record
from search.sampling import best_points, sampled, warm_start
from search.spaces import Point, grid
from search.trial import TrialJob
from search.trials import Trial, resolve_all
from search.tuning import cluster, run_jobs
from search.views import view_sheet
from search.watch import StudyWatch

__all__ = ["run_study"]

_NOT_OURS = (OSError, StorageInternalError, SQLAlchemyError)
"""What the disk and the database raise: no defect of the study, which can go on later."""


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
    check_resources(config)
    place = join(config.results, config.study.name)
    check_writable(place)
    home = mirrored(place)
    folder = home.local
    first = warm_start(config)
    store = open_data(config.data, console)
    if config.study.images is not None:
        store = store.take(config.study.images)
    planned = resolve_all(config, _planned(config), store.fingerprint)
    shown = planned or [_example(config, store.fingerprint)]
    check_fits(shown, store)
    if config.plan:
        home.fetch_all("record.json")
        print_plan(config, shown, records.read_records(folder), store, console)
        return 0
    with exclusive(place):
        home.fetch("study.json")
        study = describe(config, planned, store, overrides)
        check_same_study(folder, study)
        try:
            records.write_json(folder / "study.json", study)
            home.put("study.json")
            run = _Run(
                config,
                home=home,
                study=study,
                planned=planned,
                first=first,
                store=store,
                console=console,
            )
            return run.to_the_end(verbose=verbose)
        except _NOT_OURS as error:
            reason = " ".join(str(error.__cause__ or error).split())
            console.print(
                f"[red]stopped[/] by {escape(reason)}; what has ended is kept in "
                f"{buckets.shown(place)}: put "
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


class _Run:
    """One run of a study whose folder is held."""

    def __init__(
        self,
        config: Config,
        *,
        home: Folder,
        study: Mapping[str, Any],
        planned: Sequence[Trial],
        first: Sequence[Point],
        store: Store,
        console: Console,
    ) -> None:
        self._config = config
        self._home = home
        self._folder = home.local
        self._study = study
        self._planned = planned
        self._store = store
        self._console = console
        home.fetch_all("record.json")
        existing = records.read_records(self._folder)
        _tidy(home, existing)
        self._finished = {name: r for name, r in existing.items() if not _to_run(r)}
        self._url = config.search.storage or f"sqlite:///{self._folder}/optuna.db"
        self._view = OptunaView(
            self._url, config.study.name, config.search, seed=config.study.seed
        )
        self._adopted = self._view.synchronise(self._finished)
        self._view.enqueue(first)

    def to_the_end(self, *, verbose: bool) -> int:
        """Both stages, as far as they have not been run; then compile and conclude."""
        complete = True
        say = self._console.print
        say(_headline(self._config), soft_wrap=True)
        say(f"{self._total()} trials, {len(self._finished)} already finished")
        if self._left():
            display = Display(self._console, total=self._total(), done=self._finished.values())
            with cluster(self._config.cluster, verbose=verbose) as dashboard:
                watch = StudyWatch(
                    optuna=self._view,
                    display=display,
                    metrics=StudyMetrics(self._config.study.name, self._finished.values()),
                    tensorboard=self._folder / "tensorboard",
                    views=lambda trial: view_sheet(trial.pretrain, self._store),
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

    def _run(self, trials: Iterator[Trial], watch: StudyWatch, *, stops: bool) -> bool:
        jobs = (self._job(trial, may_stop=stops) for trial in trials)
        scratch = everywhere(join(self._home.place, "ray"))
        return run_jobs(self._config, jobs, watch, scratch, stops=stops)

    def _stage_one(self) -> Iterator[Trial]:
        if self._config.search.kind == "grid":
            return (trial for trial in self._planned if trial.id not in self._finished)
        fingerprint = self._study["data"]["fingerprint"]
        return sampled(self._config, self._view, fingerprint, self._finished, self._adopted)

    def _stage_two(self) -> Iterator[Trial]:
        return (trial for trial in self._best_again() if trial.id not in self._finished)

    def _best_again(self) -> Iterable[Trial]:
        stage, first = self._config.search.second_stage, self._config.search.repeats
        points = [
            Point(objective=p.objective, composition=p.composition, values=p.values, repeat=repeat)
            for p in best_points(self._finished, stage.best)
            for repeat in range(first, first + stage.seeds)
        ]
        fingerprint = self._study["data"]["fingerprint"]
        return resolve_all(self._config, points, fingerprint, stage=2)

    def _total(self) -> int:
        search = self._config.search
        second = search.second_stage.best * search.second_stage.seeds
        return (len(self._planned) if search.kind == "grid" else search.trials) + second

    def _left(self) -> int:
        return self._total() - len(self._finished)

    def _job(self, trial: Trial, *, may_stop: bool) -> TrialJob:
        config, search = self._config, self._config.search
        stopping = search.early_stopping.rungs(config.study.epochs) if may_stop else ()
        return TrialJob(
            trial=trial,
            probe=config.trial.probe,
            diagnostics=config.trial.diagnostics,
            rungs=tuple(sorted({*search.rungs, *stopping})),
            may_stop=bool(stopping),
            store=everywhere(config.data.store),
            source_px=config.data.source_px,
            images=config.study.images,
            directory=everywhere(join(self._home.place, "trials", trial.id)),
            scratch=everywhere(join(self._home.place, "ray")),
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
        say(f"records      {buckets.shown(join(self._home.place, 'trials.parquet'))}")
        say(f"TensorBoard  tensorboard --logdir {self._folder}/tensorboard")
        say(f"Optuna       optuna-dashboard {without_password(self._url)}")
        if not complete:
            say(
                f"[yellow]interrupted[/] after {len(self._finished)} of {self._total()} trials; "
                "run the same command again to continue"
            )
            return 130
        if failed:
            say(
                f"[red]{len(failed)} of {len(self._finished)} trials failed[/]; the first, "
                f"{failed[0]['trial']}: {failed[0]['error']['message']}"
            )
            return 1
        say(f"[green]complete[/]: {len(self._finished)} trials")
        return 0


def _tidy(home: Folder, existing: Mapping[str, Record]) -> None:
    """Remove what a killed run left: halves of files, Tune's own, checkpoints of ended trials."""
    folder = home.local
    delete_tree(join(home.place, "ray"))
    left = buckets.names(home.place) if is_bucket(home.place) else None
    for half in (*folder.glob(".*.tmp"), *folder.glob("trials/*/.*")):
        half.unlink(missing_ok=True)
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
