import dataclasses
import io

import pytest
from rich.console import Console

from handssl.records import Record, Status
from search.config.metric import SearchMetric
from search.observers.display import Display

AUC = SearchMetric(name="auc_50cm", direction="maximize")


def record(trial: str, status: Status = "finished", **metrics: float | None) -> Record:
    return Record(
        kind="pretrain",
        trial=trial,
        hash=trial,
        seed=0,
        status=status,
        objective="relative",
        composition=trial,
        metrics=metrics,
        encoder_steps=40,
    )


def lines(metric: SearchMetric, *records: Record) -> list[str]:
    """What is printed while these trials end."""
    out = io.StringIO()
    console = Console(file=out, width=120)
    display = Display(console, total=9, records=[], metric=metric)
    for record in records:
        display.ended(record, 1.0)
    return out.getvalue().splitlines()


def test_a_line_shows_the_median_and_whether_it_is_the_smallest() -> None:
    first, second, third = lines(
        SearchMetric(),
        record("T", ra_median_pje_cm=31.25),
        record("S", ra_median_pje_cm=8.0),
        record("Ro", ra_median_pje_cm=9.0),
    )
    assert first.startswith(
        "[1/9] relative     T            ra_median   31.25 cm  best so far  1 s"
    )
    assert second.startswith(
        "[2/9] relative     S            ra_median    8.00 cm  best so far  1 s"
    )
    assert third.startswith("[3/9] relative     Ro           ra_median    9.00 cm  1 s")


def test_the_best_so_far_is_the_largest_where_the_search_maximises() -> None:
    shown = lines(
        AUC,
        record("T", auc_50cm=0.5, ra_median_pje_cm=9.0),
        record("S", auc_50cm=0.25, ra_median_pje_cm=1.0),
        record("CJ", status="pruned"),
        record("Ro", auc_50cm=0.75, ra_median_pje_cm=20.0),
    )
    assert ["best so far" in line for line in shown] == [True, False, False, True]
    assert "auc_50cm     0.7500" in shown[-1]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pa_mpjpe_cm", 1.5, "pa_mpjpe    1.50 cm"),
        ("rankme", 7.25, "rankme     7.2500"),
        ("encoder_steps", 0.0, "encoder_steps         40"),
    ],
)
def test_a_metric_is_shown_with_its_own_unit(name: str, value: float, expected: str) -> None:
    assert expected in lines(SearchMetric(name=name), record("T", "finished", **{name: value}))[0]


def test_a_value_that_is_not_finite_is_never_the_best() -> None:
    shown = lines(AUC, record("T", auc_50cm=None), record("S", auc_50cm=0.0))
    assert ["best so far" in line for line in shown] == [False, True]
    assert "not finite" in shown[0]


def test_rows_of_transfer_tables_are_not_ranked() -> None:
    row = record("T", ra_median_pje_cm=3.0)
    transfer = {"mode": "pretrain", "pretrain": "FH"}
    row = dataclasses.replace(row, transfer=transfer, config={"encoder": {"name": "resnet18"}})
    printed = lines(SearchMetric(), row)
    assert "pretrain on FH, resnet18" in printed[0]
    assert "best so far" not in printed[0]
