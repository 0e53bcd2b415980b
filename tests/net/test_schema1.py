"""A study of schema 1 is read, reported, replayed and continued by the present code.

The fixture was written by revision ebbf542; its README says how. Every command runs in a process
of its own, in a copy of the fixture.
"""

import csv
import json
import lzma
import math
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from tests.net import collect
from tests.net.compare import differences
from tests.net.run import ROOT, Checkout, machine

FIXTURE: Final = ROOT / "tests" / "fixtures" / "schema1"

STUDY: Final = (
    "results=results",
    "study.name=search",
    "data.root=raw",
    "data.store=store",
    "data.poses=10",
    "data.versions=2",
    "study.epochs=2",
    "study.seed=27",  # with a pruned and a diverging trial among the first five
    "search.kind=tpe",
    "search.concurrent=1",
    "search.early_stopping={name: asha, grace_epochs: 1, reduction: 2}",
    "search.objectives.hot={name: contrastive, pretrain: {optimizer: {name: adam, base_lr: 1e30, "
    "warmup_epochs: 0}}}",
    "search.space.objective.temperature={low: 0.1, high: 1.0, log: true}",
    "search.second_stage.seeds=1",
    "trial.pretrain.encoder.name=timm:test_efficientnet",
    "trial.pretrain.objective.hidden_dim=16",
    "trial.pretrain.objective.projection_dim=8",
    "trial.pretrain.size_px=32",
    "trial.pretrain.batch_size=8",
    "trial.probe.augmented_passes=1",
    "cluster.cpus=1",
    "cluster.dashboard=false",
)
"""A sampled search with early stopping; some of its trials diverge."""

CONTINUED: Final = ("search.trials=7", "search.second_stage.best=1")
"""Of the run that was killed in its first new trial, and that is to be run again."""

EXPECTED: dict[str, Any] = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
INTERRUPTED = next(FIXTURE.glob("results/search/trials/*/checkpoint.pt.xz")).parent.name

same_machine = EXPECTED["machine"] == machine()


def unpacked(folder: Path) -> Path:
    """A copy of the fixture with its .xz files unpacked."""
    shutil.copytree(FIXTURE, folder, dirs_exist_ok=True)
    for path in list(folder.rglob("*.xz")):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        path.unlink()
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    unpacked(tmp_path)
    return Checkout(ROOT, tmp_path)


def report(checkout: Checkout, study: str) -> Path:
    """The report of a study of the fixture."""
    out = checkout.work / f"report-{study.replace('/', '-')}"
    checkout.analysis(study, "--out", str(out))
    return out


def records(study: str) -> dict[str, dict[str, Any]]:
    paths = sorted((FIXTURE / "results" / study / "trials").glob("*/record.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize("study", ["search", "transfer"])
def test_a_report_has_every_record_of_the_folder_and_of_its_compact_form(
    checkout: Checkout, study: str
) -> None:
    folder, compact = (
        report(checkout, place) for place in (f"results/{study}", f"compact-{study}")
    )
    with (folder / "tables" / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["trial"]: row for row in csv.DictReader(file)}
    written = records(study)
    assert rows.keys() == written.keys()
    for trial, record in written.items():
        assert rows[trial]["status"] == record["status"]
        assert rows[trial]["seed"] == str(record["seed"])
        if record["status"] == "finished":
            numbers = [float(cell) for cell in rows[trial].values() if is_number(cell)]
            assert record["metrics"]["median_pje_cm"] in numbers
    tables = collect.tables(folder)
    # Half precision moves the errors from which intervals are drawn by up to 0.05 %.
    for name, numbers_of_compact in collect.tables(compact).items():
        for whole, half in zip(tables[name], numbers_of_compact, strict=True):
            assert [float(x) for x in half] == pytest.approx(
                [float(x) for x in whole], rel=2e-3, abs=2e-3
            )


def is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


@pytest.mark.slow
def test_an_interrupted_study_continues_to_the_numbers_of_the_code_that_began_it(
    checkout: Checkout,
) -> None:
    folder = checkout.work / "results" / "search"
    first_report = json.loads((folder / "trials" / INTERRUPTED / "metrics.jsonl").read_text())
    before = records("search")
    checkout.run(checkout.script("run_grid", *STUDY, *CONTINUED), status=1)
    study = collect.study(folder)
    expected = EXPECTED["search"]
    assert not list(folder.rglob("checkpoint.pt"))
    continued = study["trials"][INTERRUPTED]
    assert continued["status"] == "finished"
    assert [row["epoch"] for row in continued["reports"]] == [1, 2]
    assert continued["reports"][0]["losses"] == first_report["losses"]
    for trial in before:  # those that had ended were not run again
        assert not differences({"": expected["trials"][trial]}, {"": study["trials"][trial]})
    assert {key: expected["trials"][INTERRUPTED][key] for key in ("hash", "seed", "stage")} == {
        key: continued[key] for key in ("hash", "seed", "stage")
    }
    if same_machine:  # elsewhere, the rest of the numbers is another's rounding
        assert differences({"search": expected}, {"search": study}) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["results/search", "compact-search"])
def test_a_record_is_replayed(checkout: Checkout, place: str) -> None:
    finished = sorted(t for t, r in records("search").items() if r["status"] == "finished")
    command = checkout.script("replay", place, "--trial", finished[0])
    # Exit status 0: the same numbers; on another kind of processor they may differ.
    said = checkout.run(command, status=0 if same_machine else None)
    assert finished[0] in said
    assert "median_pje_cm" in said
