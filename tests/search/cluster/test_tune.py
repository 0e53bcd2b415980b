from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster.tune import early_stopping
from search.config.compose import compose_config
from search.config.schema import Config

AUC = "search.metric={name: auc_50cm, direction: maximize}"


def scheduler(config: Config) -> Any:
    search = config.search
    return early_stopping(search.early_stopping, search.metric, epochs=config.study.epochs)


def stopped(*overrides: str, name: str, values: list[float]) -> list[float]:
    """The values whose trials are stopped at the first rung, one trial after another."""
    config = compose_config(["search=tpe", "study.epochs=4", *overrides])
    decides = scheduler(config)
    gone = []
    for number, value in enumerate(values):
        trial = SimpleNamespace(trial_id=str(number))
        decides.on_trial_add(None, trial)
        report = {"epoch": 1, "training_iteration": 1, name: value}
        if decides.on_trial_result(None, trial, report) == decides.STOP:
            gone.append(value)
    return gone


def test_asha_stops_what_is_behind_in_the_metrics_own_direction() -> None:
    values = [0.5, 0.4, 0.6, 0.3, 0.7]
    assert stopped(name="ra_median_pje_cm", values=values) == [0.6, 0.7]
    assert stopped(AUC, name="auc_50cm", values=values) == [0.4, 0.3]


def test_another_metric_in_the_reports_decides_nothing() -> None:
    assert stopped(AUC, name="ra_median_pje_cm", values=[0.5, 0.1, 0.9]) == []


@pytest.mark.parametrize(
    ("overrides", "mode"), [([], "min"), ([AUC], "max"), (["search.metric.name=mpjpe_cm"], "min")]
)
def test_median_stopping_has_the_metric_and_its_direction(overrides: list[str], mode: str) -> None:
    config = compose_config(["search=tpe", "search.early_stopping.name=median", *overrides])
    rule = scheduler(config)
    assert rule._metric == config.search.metric.name
    assert rule._worst == (float("-inf") if mode == "max" else float("inf"))


class FakeTrial:
    def __init__(self, number: int) -> None:
        self.trial_id = str(number)


CONTROLLER = SimpleNamespace(get_live_trials=list)


@pytest.mark.parametrize("name", ["asha", "median"])
def test_reports_between_rungs_decide_nothing(name: str) -> None:
    early = [f"search.early_stopping.name={name}"]
    config = compose_config(["search=tpe", "study.epochs=4", *early])
    every_epoch, rungs_only = scheduler(config), scheduler(config)
    decisions: list[str] = []
    for number, value in enumerate((0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.9)):
        trial = FakeTrial(number)
        every_epoch.on_trial_add(CONTROLLER, trial)
        rungs_only.on_trial_add(CONTROLLER, trial)
        for epoch in (1, 2, 3):
            report: dict[str, Any] = {
                "epoch": epoch,
                "training_iteration": epoch,
                "rung": epoch == 3,
            }
            # The probe of another epoch has the metric too; these values would turn the ranking.
            report = report | {"ra_median_pje_cm": value if epoch == 3 else -value}
            decision = every_epoch.on_trial_result(CONTROLLER, trial, report)
            if epoch == 3:
                assert decision == rungs_only.on_trial_result(CONTROLLER, trial, report)
                decisions.append(decision)
            else:
                assert decision == every_epoch.CONTINUE
        every_epoch.on_trial_complete(CONTROLLER, trial, report)
        rungs_only.on_trial_complete(CONTROLLER, trial, report)
    assert set(decisions) == {every_epoch.CONTINUE, every_epoch.STOP}
