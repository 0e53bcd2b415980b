import math

import pytest

from handssl.errors import ConfigError
from handssl.records import Record
from search.config.compose import compose_config
from search.config.metric import AT_RUNGS, SearchMetric
from search.config.search import SearchConfig

ERROR = SearchMetric()
AUC = SearchMetric(name="auc_5cm", direction="maximize")


def record(**metrics: float | None) -> Record:
    return Record(
        kind="pretrain",
        trial="t",
        hash="h",
        seed=0,
        status="finished",
        objective="relative",
        composition="T",
        metrics=metrics,
        encoder_steps=12,
    )


def test_the_default_is_what_the_study_ranks_by() -> None:
    search = compose_config().search
    assert (search.metric.name, search.metric.direction) == ("ra_median_pje_cm", "minimize")
    assert list(search.metrics) == ["search.metric"]
    both = compose_config(["search=nsga2"]).search
    assert both.metrics == SearchConfig(kind="nsga2").metrics
    assert [each.name for each in both.metrics.values()] == ["ra_median_pje_cm", "encoder_steps"]


def test_less_cost_is_better_in_either_direction() -> None:
    assert sorted([0.5, 2.0, 1.0], key=ERROR.cost) == [0.5, 1.0, 2.0]
    assert sorted([0.5, 2.0, 1.0], key=AUC.cost) == [2.0, 1.0, 0.5]
    assert (ERROR.worst, AUC.worst) == (math.inf, -math.inf)


def test_a_value_is_that_of_the_records_end() -> None:
    assert AUC.of(record(auc_5cm=0.25, ra_median_pje_cm=3.0)) == 0.25
    assert ERROR.of(record(auc_5cm=0.25, ra_median_pje_cm=3.0)) == 3.0
    assert SearchMetric(name="encoder_steps").of(record()) == 12.0


@pytest.mark.parametrize("metrics", [{}, {"auc_5cm": None}])
def test_what_is_missing_or_was_not_finite_has_no_value(metrics: dict[str, None]) -> None:
    assert AUC.of(record(**metrics)) is None


def test_diagnostics_that_are_made_may_be_named_in_either_direction() -> None:
    for direction in ("minimize", "maximize"):
        override = f"search.metric={{name: invariance/rotate, direction: {direction}}}"
        assert compose_config([override]).search.metric.direction == direction
    override = "search.metric={name: invariance/sobel, direction: maximize}"
    with pytest.raises(ConfigError, match=r"trial\.diagnostics\.augmentations=\[translate,scale"):
        compose_config([override])
    compose_config([override, "trial.diagnostics.augmentations=[sobel]"])


@pytest.mark.parametrize("name", AT_RUNGS)
def test_early_stopping_takes_whatever_a_rung_reports(name: str) -> None:
    direction = SearchMetric(name=name).only_direction
    metric = f"search.metric={{name: {name}, direction: {direction}}}"
    assert compose_config(["search=tpe", metric]).search.metric.name == name
