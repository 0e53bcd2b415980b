import re

import pytest

from handssl.errors import ConfigError
from search.config.compose import compose_config
from search.config.transfer import TransferStudyConfig


def composed(*overrides: str) -> TransferStudyConfig:
    return compose_config(overrides, "transfer", TransferStudyConfig)


def test_the_tables_are_all_the_groups_of_their_files() -> None:
    rows = composed().transfer.rows
    names = "table2 table3_fh_ih table3_ih_fh table4_fh table4_ih lowshot"
    assert set(rows) == set(names.split())
    assert rows["lowshot"].label_fractions == (0.01, 0.1, 1.0)
    assert rows["table2"].evaluate == ("IH",)


def test_the_paper_fidelity_has_the_settings_of_the_protocol() -> None:
    config = composed("fidelity=paper", "data_sets.FH.root=a", "data_sets.IH.root=b")
    assert config.study.epochs == 26
    assert config.trial.pretrain.optimizer.warmup_epochs == 3
    assert (config.trial.pretrain.batch_size, config.trial.pretrain.accumulation) == (512, 4)
    heat_maps = config.transfer.encoders["hrnet"]
    assert (heat_maps.batch_size, heat_maps.accumulation) == (128, 16)
    assert config.transfer.encoders["resnet"].name == "resnet18"
    assert config.transfer.finetune.epochs == 100
    assert config.transfer.finetune.optimizer.base_lr == pytest.approx(4.42e-5)
    assert config.transfer.evaluate_on == "test"
    assert config.transfer.imagenet
    assert config.study.evidence


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("transfer.rows.table2.encoder=vgg", "transfer.rows.table2.encoder must be one of"),
        ("+transfer.rows.table2.pretrained=[care]", "transfer.rows.table2.pretrained"),
        ("transfer.rows.table2.fit=[COCO]", "fit must name some of FH, IH"),
        ("transfer.rows.table2.evaluate=[]", "evaluate must name some of FH, IH"),
        (
            "+transfer.rows.table2.label_fractions=[0]",
            "table2.label_fractions must be > 0, but got label_fractions=0",
        ),
        ("transfer.rows.table2.modes=[thawed]", "modes"),
        ("+transfer.rows.table2.repeats=0", "repeats must be >= 1"),
        ("+transfer.rows.table2.repeatz=1", "did you mean transfer.rows.table2.repeats"),
        ("+transfer.weights={FH: 0.5, IH: 0.6}", "transfer.weights must weigh FH and IH"),
        ("transfer.encoders.resnet.name=resnet19", "encoder.name"),
        ("transfer.evaluate_on=train", "transfer.evaluate_on"),
        ("transfer.min_steps=0", "transfer.min_steps must be >= 1"),
        ("fidelity=paper", "must name a folder"),
    ],
)
def test_what_makes_no_study_is_refused_in_one_line(override: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)) as refused:
        composed(override)
    assert "\n" not in str(refused.value)
