import dataclasses
import json
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.recorded import Curve, RecordedStudy, read_recorded
from benchmarks.samplers import FIXTURE, SEARCHES, outcomes, replay
from handssl import records
from handssl.errors import ConfigError, DataError
from handssl.records import OBJECTIVE
from handssl.training import OptimizerConfig, PretrainConfig
from search.config.metric import SearchMetric
from search.config.schema import Config, StudyConfig, TrialConfig
from search.config.search import EarlyStopping, SearchConfig
from search.config.typed import to_dict
from search.space.point import Point

SEARCH = SearchConfig(
    kind="grid",
    metric=SearchMetric(name=OBJECTIVE),
    augmentations=("translate", "rotate"),
    rungs=(1,),
)
CONFIG = Config(
    search=SEARCH,
    study=StudyConfig(epochs=3),
    trial=TrialConfig(pretrain=PretrainConfig(optimizer=OptimizerConfig(warmup_epochs=0.0))),
)
ASHA = EarlyStopping(name="asha", grace_epochs=1, reduction=3)
PUBLISHED = dataclasses.replace(
    SEARCH, kind="tpe", trials=6, early_stopping=ASHA, warm_start="published"
)
"""Begins with contrastive T, relative T, relative T+Ro, contrastive T+Ro, and both of Ro."""


def curve(rung: float, final: float) -> Curve:
    return Curve(
        error_cm={1: rung, 3: final}, encoder_steps=30, epochs=3, metrics={OBJECTIVE: final}
    )


def study(**changes: Curve) -> RecordedStudy:
    """Six points: the third of the published order is the best, and looks it at its rung."""
    curves = {
        "contrastive_T": curve(50, 40),
        "relative_T": curve(60, 35),
        "relative_TandRo": curve(45, 30),
        "contrastive_TandRo": curve(70, 60),
        "contrastive_Ro": curve(80, 70),
        "relative_Ro": curve(90, 80),
    } | changes
    names = [name.replace("and", "+").split("_") for name in curves]
    points = [
        Point(objective=objective, composition=composition) for objective, composition in names
    ]
    return RecordedStudy(
        label="by hand", config=CONFIG, curves=dict(zip(points, curves.values(), strict=True))
    )


def test_early_stopping_saves_the_steps_after_the_rung() -> None:
    # 30 steps, then 10 to the rung where it is not among the best third, then 30 of the best.
    assert study().encoder_steps == 180
    assert study().best_cm == 30
    assert replay(study(), PUBLISHED, seed=0) == (70, True, 3, 1)


def test_without_early_stopping_every_trial_is_run_to_its_end() -> None:
    search = dataclasses.replace(PUBLISHED, early_stopping=EarlyStopping())
    assert replay(study(), search, seed=0) == (90, True, 3, 0)


def test_a_trial_within_two_percent_of_the_best_will_do() -> None:
    near = study(contrastive_T=curve(50, 30.5))
    assert replay(near, PUBLISHED, seed=0) == (30, True, 1, 0)
    assert replay(study(contrastive_T=curve(50, 30.7)), PUBLISHED, seed=0).trials == 3


def test_a_search_that_stopped_the_best_counts_with_all_its_steps() -> None:
    hidden = study(relative_TandRo=curve(70, 30))
    outcome = replay(hidden, PUBLISHED, seed=0)
    # All six are begun, the first one ends, nothing comes near it at the rung.
    assert outcome == (30 + 5 * 10, False, 6, 5)


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_every_sampler_finds_the_best_within_as_many_trials_as_there_are_points(
    kind: Literal["random", "tpe"],
) -> None:
    search = dataclasses.replace(SEARCH, kind=kind, trials=6)
    for seed in range(5):
        outcome = replay(study(), search, seed=seed)
        assert outcome.reached
        assert outcome.steps == 30 * outcome.trials <= 180
    assert replay(study(), search, seed=4) == outcome


def test_a_study_without_the_rungs_is_refused() -> None:
    bare = study(relative_T=Curve(error_cm={3: 35}, encoder_steps=30, epochs=3, metrics={}))
    with pytest.raises(ConfigError, match=r"search\.rungs must have held \[1\].*relative T "):
        replay(bare, PUBLISHED, seed=0)


def test_a_study_is_read_from_its_compact_records(tmp_path: Path) -> None:
    written = {}
    for number, (point, own) in enumerate(study().curves.items()):
        for repeat in (0, 1):
            trial = f"t{number}{repeat}"
            written[trial] = records.Record(
                kind="pretrain",
                trial=trial,
                hash=trial,
                seed=0,
                status="finished",
                objective=point.objective,
                composition=point.composition,
                repeat=repeat,
                point=to_dict(dataclasses.replace(point, repeat=repeat)),
                metrics={OBJECTIVE: own.error_cm[3] + repeat},
                rungs=(records.Rung(epoch=1, step=10, metrics={OBJECTIVE: own.error_cm[1]}),),
                epochs=3,
                encoder_steps=30,
            )
    alone = {"objective": "contrastive", "composition": "So", "values": [], "repeat": 0}
    written["alone"] = dataclasses.replace(
        written["t00"], trial="alone", hash="alone", point=alone
    )
    records.compile_parquet(tmp_path, written)
    with pytest.raises(DataError, match=r"must hold study\.json and trials\.parquet"):
        read_recorded(tmp_path)
    config = to_dict(CONFIG)
    config["search"] |= {"singles": ["sobel"], "second_stage": {"best": 3, "also": ["* T"]}}
    described = {"fidelity": {"label": "by hand"}, "config": config}
    (tmp_path / "study.json").write_text(json.dumps(described))
    assert read_recorded(tmp_path) == study()


@pytest.mark.slow
def test_the_recorded_study_holds_every_point_with_rungs_for_early_stopping() -> None:
    recorded = read_recorded(FIXTURE)
    assert len(recorded.curves) == 30
    assert "evidence" in recorded.label
    found = outcomes(recorded, seeds=1)
    assert set(found) == set(SEARCHES)
    for (outcome,) in found.values():
        assert 0 < outcome.steps <= recorded.encoder_steps
