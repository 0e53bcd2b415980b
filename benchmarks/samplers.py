"""Samplers on a recorded study: encoder steps until a trial within 2 % of the best has ended.

Every trial of an exhaustive study was recorded with its error at the rungs; the search is then
run again without training: `search.sampling` asks Optuna through the study's own view, one trial
at a time, the recorded errors are revealed rung by rung, and Ray's own ASHAScheduler, made and fed
as in a study, decides who goes on. A point that is sampled twice is answered from its record, as
in a study, and costs nothing. 100 % is what the exhaustive study took; a search that had all
points and let the best be stopped never gets there, and counts with all that it took.

    python benchmarks/run.py samplers            on the recorded study under tests/fixtures
    python benchmarks/samplers.py results/STUDY  on another, run with search.rungs=[…]
"""

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median, stdev
from types import SimpleNamespace
from typing import Any, Final, Literal, NamedTuple

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figure import ROOT, Row, row
from benchmarks.recorded import Curve, RecordedStudy, read_recorded
from handssl.errors import ConfigError
from handssl.records import OBJECTIVE, Record
from search.cluster.tune import early_stopping
from search.config.search import EarlyStopping, SearchConfig
from search.config.typed import to_dict
from search.observers.optuna_study import OptunaMirror
from search.studies.grid import resolver_of
from search.studies.sampled import sampled_trials, warm_start
from search.studies.study import Session
from search.trials.trial import Trial

FIXTURE: Final = ROOT / "tests" / "fixtures" / "recorded"
WITHIN: Final = 1.02
SEEDS: Final = 20

_ASHA: Final = EarlyStopping(name="asha", grace_epochs=1, reduction=3)


class Sampling(NamedTuple):
    """What one search differs in from the recorded one: keys of search.* by their names."""

    kind: Literal["random", "tpe"]
    early_stopping: EarlyStopping = EarlyStopping()
    warm_start: str | None = None


SEARCHES: Final[Mapping[str, Sampling]] = {
    "random": Sampling("random"),
    "TPE": Sampling("tpe"),
    "random + ASHA": Sampling("random", _ASHA),
    "TPE + ASHA": Sampling("tpe", _ASHA),
    "TPE + ASHA, published warm start": Sampling("tpe", _ASHA, "published"),
}
"""What is compared; early stopping is as configs/search/tpe.yaml has it."""


class Outcome(NamedTuple):
    """How one search went.

    Attributes:
        steps: Encoder steps until a trial within 2 % of the best had ended; all, if none did.
        reached: Whether one did.
        trials: Trials begun until then.
        pruned: How many of them were stopped early.
    """

    steps: int
    reached: bool
    trials: int
    pruned: int


def replay(study: RecordedStudy, search: SearchConfig, *, seed: int) -> Outcome:
    """Search a recorded study, one trial at a time.

    Raises:
        ConfigError: The recorded trials lack a rung that early stopping needs.
    """
    config = dataclasses.replace(study.config, search=search)
    rungs = search.early_stopping.rungs(config.study.epochs)
    for point, curve in study.curves.items():
        if missing := sorted(set(rungs) - set(curve.error_cm)):
            raise ConfigError(
                f"search.rungs must have held {missing} when the study was recorded, but "
                f"{point.objective} {point.composition} has rungs={sorted(curve.error_cm)}"
            )
    view = OptunaMirror("sqlite:///:memory:", "replay", search, seed=seed)
    view.enqueue(warm_start(config.search))
    decides: Any = early_stopping(search.early_stopping, search.metric, epochs=config.study.epochs)
    finished: dict[str, Record] = {}
    session = Session(records=finished, optuna=view, adopted=[])
    steps = pruned = 0
    for trial in sampled_trials(search, resolver_of(config, "recorded"), session):
        curve = study.curves[dataclasses.replace(trial.point, repeat=0)]
        last = _stopped_at(curve, trial, rungs, decides, view)
        record = _record(trial, curve, last)
        view.finish(record)
        finished[trial.id] = record
        steps += record.encoder_steps
        pruned += record.status == "pruned"
        within = curve.error_cm[curve.epochs] <= WITHIN * study.best_cm
        if record.status == "finished" and within:
            return Outcome(steps, True, len(finished), pruned)
    return Outcome(steps, False, len(finished), pruned)


def _stopped_at(
    curve: Curve, trial: Trial, rungs: tuple[int, ...], decides: Any, view: OptunaMirror
) -> int:
    """The epoch at which a trial ends: a rung where the scheduler stops it, or its last one."""
    if decides is None:
        return curve.epochs
    # All that a scheduler looks at of Tune's trial and controller.
    as_tune = SimpleNamespace(trial_id=trial.id)
    decides.on_trial_add(None, as_tune)
    for epoch in rungs:
        result = {"epoch": epoch, OBJECTIVE: curve.error_cm[epoch]}
        view.report(trial, epoch, curve.error_cm[epoch])
        if decides.on_trial_result(None, as_tune, result) == decides.STOP:
            decides.on_trial_remove(None, as_tune)
            return epoch
    last = {"epoch": curve.epochs, OBJECTIVE: curve.error_cm[curve.epochs]}
    decides.on_trial_complete(None, as_tune, last)
    return curve.epochs


def _record(trial: Trial, curve: Curve, last: int) -> Record:
    """What a study would have recorded, as far as the Optuna view reads it."""
    ended = last == curve.epochs
    return Record(
        kind="pretrain",
        trial=trial.id,
        hash=trial.hash,
        seed=trial.seed,
        objective=trial.point.objective,
        composition=trial.point.composition,
        point=to_dict(trial.point),
        status="finished" if ended else "pruned",
        metrics=dict(curve.metrics) if ended else {},
        encoder_steps=curve.steps_to(last),
    )


def outcomes(study: RecordedStudy, *, seeds: int) -> dict[str, list[Outcome]]:
    """Each search with each seed; as many trials as there are points at most."""
    found: dict[str, list[Outcome]] = {}
    for name, own in SEARCHES.items():
        search = dataclasses.replace(
            study.config.search,
            trials=len(study.curves),
            kind=own.kind,
            early_stopping=own.early_stopping,
            warm_start=own.warm_start,
        )
        found[name] = [replay(study, search, seed=seed) for seed in range(seeds)]
    return found


def rows(study: RecordedStudy, *, seeds: int) -> list[Row]:
    """Mean and spread of the share of the exhaustive study's encoder steps."""
    total = study.encoder_steps
    lines = [
        row(
            f"exhaustive: {len(study.curves)} trials, best {study.best_cm:.2f} cm ({study.label})",
            f"{total:,} encoder steps",
        )
    ]
    for name, found in outcomes(study, seeds=seeds).items():
        shares = [outcome.steps / total for outcome in found]
        reached = sum(outcome.reached for outcome in found)
        lines += [
            row(
                f"{name}: mean share of the steps, {seeds} seeds",
                mean(shares),
                most=0.35 if name == "TPE + ASHA" else None,
            ),
            row(
                f"{name}: spread",
                f"standard deviation {stdev(shares):.2f}, median {median(shares):.2f}, from "
                f"{min(shares):.2f} to {max(shares):.2f}; {reached} of {seeds} got there; "
                f"{mean(o.trials for o in found):.1f} trials, {mean(o.pruned for o in found):.1f} "
                "of them stopped",
            ),
        ]
    return lines


def measure(*, quick: bool = False) -> list[Row]:
    """On the recorded study of the embedded data."""
    return rows(read_recorded(FIXTURE), seeds=2 if quick else SEEDS)


def main() -> None:
    """Print the figures of one recorded study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="folder with study.json and trials.parquet")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    for line in rows(read_recorded(arguments.study), seeds=arguments.seeds):
        print(f"{line['what']}: {line['figure']}")


if __name__ == "__main__":
    main()
