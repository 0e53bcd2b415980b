import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from handssl.evaluation import UV_METRICS, image_blind
from handssl.records import read_baselines, read_records
from search.config.schema import Config
from search.observers.display import Display
from search.storage.folder import cached_copy
from search.studies.baselines import Baselines, baselines_of, record_image_blind
from search.studies.grid import resolver_of
from search.trials.execute import execute
from search.trials.trial import Job

CONTEXT = {"study": "small", "data": {"name": "synthetic"}}


@pytest.fixture
def baselines(small: Config) -> Baselines:
    resolver = resolver_of(small, "fingerprint")
    return baselines_of(resolver, resolver.images.open(), seeds=2)


def test_image_blind_answers_become_records_with_their_errors(
    baselines: Baselines, tmp_path: Path
) -> None:
    written = record_image_blind(baselines, cached_copy(str(tmp_path)), CONTEXT)
    assert read_baselines(tmp_path) == dict(sorted(written.items()))
    store = baselines.store
    expected = image_blind(store.split("train"), store.split("val"), size_px=baselines.size_px)
    assert written.keys() == expected.keys()
    for name, record in written.items():
        assert (record.kind, record.objective, record.composition) == (
            "baseline",
            "image_blind",
            name,
        )
        assert expected[name].items() <= record.metrics.items()
        assert record.metrics.keys() >= UV_METRICS.keys()
        with np.load(tmp_path / "baselines" / name / "errors.npz") as errors:
            median = float(np.nanmedian(errors["ra_error_cm"]))
        assert median == pytest.approx(record.metrics["ra_median_pje_cm"])


def test_random_weights_have_a_seed_each_and_the_probe_of_the_trials(
    small: Config, baselines: Baselines, tmp_path: Path
) -> None:
    first, second = baselines.random_weights
    assert first.seed != second.seed
    assert first.probe == small.trial.probe
    job = Job(
        trial=first,
        metric=small.search.metric,
        directory=str(tmp_path / "baselines" / first.id),
        scratch=str(tmp_path / "ray"),
        context={"study": "small"},
    )
    (report,) = execute(job, device="cpu")
    assert report["done"]
    record = read_baselines(tmp_path)[first.id]
    assert (record.kind, record.objective, record.repeat) == ("baseline", "random_weights", 0)
    assert report[small.search.metric.name] == record.metrics[small.search.metric.name]


def test_the_identity_of_random_weights_changes_with_what_decides_the_numbers(
    small: Config, baselines: Baselines
) -> None:
    (first, _), store = baselines.random_weights, baselines.store
    resolver = resolver_of(small, "fingerprint")
    probe = dataclasses.replace(small.trial.probe, augmented_passes=2)
    others = [
        dataclasses.replace(resolver, fingerprint="another"),
        dataclasses.replace(resolver, study=dataclasses.replace(small.study, seed=5)),
        dataclasses.replace(resolver, trial=dataclasses.replace(small.trial, probe=probe)),
    ]
    hashes = {baselines_of(o, store, seeds=1).random_weights[0].hash for o in others}
    assert len(hashes | {first.hash}) == 4


def test_the_best_baseline_stands_in_the_status_line(
    small: Config, baselines: Baselines, tmp_path: Path
) -> None:
    written = record_image_blind(baselines, cached_copy(str(tmp_path)), CONTEXT)
    console = Console(file=io.StringIO(), width=200)
    display = Display(console, total=6, records=[], metric=small.search.metric)
    for record in written.values():
        display.baseline(record)
    name = small.search.metric.name
    best = min(written.values(), key=lambda record: record.metrics[name] or np.inf)
    console.print(display._state())
    *lines, status = console.file.getvalue().strip().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 5
    value = f"{best.metrics[name]:.2f} cm"
    assert f"baseline image blind {best.composition} {value}" in status


def test_a_study_has_its_baselines_beside_its_trials(undisturbed: Path) -> None:
    recorded = read_baselines(undisturbed / "small")
    kinds = sorted((r.objective, r.composition) for r in recorded.values())
    assert len(kinds) == 6
    assert kinds[-1] == ("random_weights", "")
    assert {r.kind for r in read_records(undisturbed / "small").values()} == {"pretrain"}
    assert all(r.study == "small" and r.is_finished for r in recorded.values())
