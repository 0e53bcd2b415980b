import pytest

from handssl.errors import ConfigError
from search.config.compose import compose_config
from search.config.renamed import RENAMED_KEYS, RENAMED_VALUES, check_renamed, upgrade_config
from search.config.transfer import TransferStudyConfig


@pytest.mark.parametrize("old", RENAMED_KEYS)
def test_an_old_key_is_refused_with_the_new_one(old: str) -> None:
    key = old.replace("*", "name")
    with pytest.raises(ConfigError) as refused:
        compose_config([f"{key}=1"], "transfer", TransferStudyConfig)
    new = RENAMED_KEYS[old].replace("*", "name")
    assert str(refused.value) == f"{key} was renamed: use {new}"


@pytest.mark.parametrize(("key", "value"), RENAMED_VALUES)
def test_an_old_value_is_refused_with_the_new_one(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}={value} .* {key}={RENAMED_VALUES[key, value]}"):
        compose_config([f"{key}={value}"])


def test_a_key_inside_an_old_one_keeps_its_end() -> None:
    with pytest.raises(ConfigError, match=r"use transfer\.weights\.FH$"):
        check_renamed("transfer.shares.FH")


def test_an_old_key_in_a_nested_value_is_refused_too() -> None:
    with pytest.raises(ConfigError, match=r"search\.second_stage\.best .* \S+top_k$"):
        compose_config(["search.second_stage={best: 1}"])


def test_present_names_pass() -> None:
    for key in RENAMED_KEYS.values():
        check_renamed(key.replace("*", "name"))


def test_an_old_study_gets_the_present_keys_and_no_others() -> None:
    old = {
        "fidelity": "embedded",
        "runs": {"concurrent": 2, "retries": 1, "storage": None},
        "transfer": {"shares": {}, "rows": {"a": {"floors": ["random"], "fit": ["FH"]}}},
        "trial": {"pretrain": {"objective": {"name": "care", "options": {"chunk": 4}}}},
    }
    new = {
        "fidelity": "synthetic",
        "search": {"concurrent": 2, "retries": 1, "storage": None},
        "transfer": {"weights": {}, "rows": {"a": {"baselines": ["random"], "fit": ["FH"]}}},
        "trial": {"pretrain": {"objective": {"name": "care", "chunk": 4}}},
    }
    assert upgrade_config(old) == new
    assert upgrade_config(new) == new
    assert "runs" in old


@pytest.mark.parametrize(
    "override",
    [
        "search.objectives.care={name: care, options: {chunk: 4}}",
        "trial.pretrain.objective={name: care, options: {chunk: 4}}",
    ],
)
def test_options_of_an_objective_are_keys_of_it_now(override: str) -> None:
    with pytest.raises(ConfigError, match=r"options\.chunk was renamed: use .*\.chunk$"):
        compose_config([override])
