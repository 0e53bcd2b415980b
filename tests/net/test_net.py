"""The shortest of the net's studies, compared with what revision ebbf542 gave.

Numbers depend on the kind of processor and on PyTorch. Elsewhere, and for all studies, compare two
checkouts side by side:

    git worktree add ../before ebbf542
    python tests/net/run.py --checkout ../before --out before.json
    python tests/net/run.py --checkout . --out after.json
    python tests/net/compare.py before.json after.json

The tables of the item `report` were recorded anew when the rules of the intervals changed and
tables 1 and 5 got four errors; those of ebbf542 are in the history of `expected.json`.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.net.compare import differences
from tests.net.names import RENAMED, Names, original_key
from tests.net.run import ROOT, Checkout, machine, run_net

EXPECTED: dict[str, Any] = json.loads(
    Path(__file__).with_name("expected.json").read_text(encoding="utf-8")
)
SHORT = ("random", "configurations")


@pytest.mark.slow
def test_results_are_those_of_revision_ebbf542(tmp_path: Path) -> None:
    if EXPECTED["machine"] != machine():
        pytest.skip(
            f"recorded on {EXPECTED['machine']}, but this is {machine()}: compare two checkouts "
            f"side by side, as {Path(__file__).name} says"
        )
    results = run_net(Checkout(ROOT, tmp_path), SHORT)
    assert results.keys() == set(SHORT)
    assert differences(EXPECTED, results) == []


def test_one_changed_digit_a_lost_trial_and_a_new_one_are_differences() -> None:
    changed = copy.deepcopy(EXPECTED)
    trials = changed["random"]["trials"]
    first, second, *_ = trials
    metrics = trials[first]["metrics"]
    metrics["median_pje_cm"] *= 1 + 1e-15
    trials["another"] = trials.pop(second)
    lines = differences(EXPECTED, changed)
    assert [line.split(":")[0] for line in lines] == [
        f"random/trials/{first}/metrics/median_pje_cm",
        f"random/trials/{second}",
        "random/trials/another",
    ]
    assert differences(EXPECTED, copy.deepcopy(EXPECTED)) == []


def test_configurations_and_metrics_may_gain_keys_but_change_none() -> None:
    changed = copy.deepcopy(EXPECTED)
    changed["configurations"]["grid"]["search.another"] = 1
    next(iter(changed["random"]["trials"].values()))["metrics"]["another"] = 1.0
    assert differences(EXPECTED, changed) == []
    changed["configurations"]["grid"]["search.repeats"] = 2
    assert differences(EXPECTED, changed) == [
        "configurations/grid/search.repeats: 1 before, 2 now"
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("runs.concurrent=1", "search.concurrent=1"),
        ("++transfer.shares={FH: 0.5}", "++transfer.weights={FH: 0.5}"),
        ("transfer.rows.table2.floors=[random]", "transfer.rows.table2.baselines=[random]"),
        ("search.second_stage.best=1", "search.second_stage.top_k=1"),
        ("study=looks", "study=domains"),
        ("--look", "--domain"),
        ("a.care={name: care, options: {chunk: 8}, b: 1}", "a.care={name: care, chunk: 8, b: 1}"),
        ("search.onlyness=1", "search.onlyness=1"),
    ],
)
def test_arguments_get_the_names_of_a_checkout_that_lacks_the_old_ones(
    old: str, new: str, tmp_path: Path
) -> None:
    (tmp_path / "handssl" / "objectives").mkdir(parents=True)
    (tmp_path / "handssl" / "objectives" / "config.py").touch()
    assert Names(tmp_path).arguments([old]) == [new]
    if old.partition("=")[0].lstrip("+") in RENAMED:
        assert original_key(new.partition("=")[0].lstrip("+")) == old.partition("=")[0].lstrip("+")


def test_names_that_a_checkout_still_has_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "search" / "config").mkdir(parents=True)
    (tmp_path / "search" / "config" / "search.py").write_text("    only: tuple[str, ...] = ()\n")
    (tmp_path / "configs" / "study").mkdir(parents=True)
    (tmp_path / "configs" / "study" / "looks.yaml").write_text("")
    names = Names(tmp_path)
    assert names.arguments(["search.only=[a]", "study=looks"]) == [
        "search.only=[a]",
        "study=looks",
    ]
    assert names.arguments(["search.singles=[a]"]) == ["search.single_augmentations=[a]"]
