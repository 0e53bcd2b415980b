import dataclasses
from pathlib import Path

import pytest

from handssl.errors import ConfigError
from handssl.objectives.config import ContrastiveConfig
from search.config.compose import CONFIG_DIR, GROUPS, compose_config
from search.config.help import describe_options
from search.config.schema import Config, StoreConfig, StudyConfig
from search.config.transfer import TransferStudyConfig
from search.config.typed import from_dict, to_dict

TRANSFER = ("table2", "table3", "table4", "lowshot", "domains", "tables")
"""Files of configs/study/ that hold rows, for run_transfer.py."""

GROUP_FILES = sorted(path for group in GROUPS for path in (CONFIG_DIR / group).glob("*.yaml"))
COMMAND_FILES = [*CONFIG_DIR.glob("*.yaml"), *(CONFIG_DIR / "fidelity").glob("*/*.yaml")]


def test_the_configuration_files_are_those_that_the_tests_know() -> None:
    names = {str(path.relative_to(CONFIG_DIR)) for path in (*COMMAND_FILES, *GROUP_FILES)}
    fidelities = ("synthetic", "evidence", "paper")
    groups = {
        ".": ("grid", "store", "transfer"),
        "cluster": ("auto", "local"),
        "data": ("freihand", "interhand", "joined", "synthetic"),
        "fidelity": fidelities,
        "fidelity/grid": fidelities,
        "fidelity/transfer": fidelities,
        "search": ("grid", "nsga2", "random", "tpe"),
        "study": ("synthetic", "curves", "evidence", "mixed", "rates", "paper", *TRANSFER),
    }
    assert names == {str(Path(g, f"{name}.yaml")) for g, files in groups.items() for name in files}


@pytest.mark.parametrize("path", GROUP_FILES, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_group_file_composes_into_a_checked_configuration(path: Path) -> None:
    overrides = [f"{path.parent.name}={path.stem}"]
    if path.parent.name == "data" and path.stem != "synthetic":
        overrides.append("data.root=somewhere")
    if path.parent.name == "fidelity" or path.stem in TRANSFER:
        roots = ["data_sets.FH.root=a", "data_sets.IH.root=b"]
        composed = compose_config([*overrides, *roots], "transfer", TransferStudyConfig)
        assert composed.transfer.rows
    if path.stem not in TRANSFER:
        assert isinstance(compose_config(overrides), Config)


def test_a_study_chooses_its_fidelity_and_the_command_line_decides_over_it() -> None:
    assert compose_config(["study=curves"]).fidelity == "evidence"
    config = compose_config(["study=curves", "fidelity=synthetic"])
    assert (config.fidelity, config.study.images) == ("synthetic", 2600)


def test_the_store_has_only_the_keys_that_decide_it() -> None:
    config = compose_config(["data=freihand", "data.root=x"], "store", StoreConfig)
    assert config.data == compose_config(["data=freihand", "data.root=x"]).data
    keys = {option.key.partition(".")[0] for option in describe_options(config)}
    assert keys == {"plan", "data", "cluster"}


def test_keys_of_a_mapping_are_added_without_hydras_plus_sign() -> None:
    config = compose_config(
        [
            "search.objectives.care={name: care}",
            "search.space={optimizer.base_lr: {low: 1.0e-4, high: 1.0e-2, log: true}}",
            "trial.pretrain.magnitudes={rotate.max_deg: 30}",
        ]
    )
    assert list(config.search.objectives) == ["relative", "contrastive", "care"]
    assert config.search.ranges["optimizer.base_lr"].log
    assert config.trial.pretrain.magnitudes == {"rotate.max_deg": 30}


def test_null_leaves_an_entry_of_such_a_mapping_out() -> None:
    config = compose_config(["search=tpe", "search.objectives.relative=null"])
    assert list(config.search.objectives) == ["contrastive"]
    mixed = compose_config(["search=tpe", "study=mixed"])
    assert list(mixed.search.objectives) == ["mixed"]


def test_the_paper_study_has_the_settings_of_the_protocol() -> None:
    config = compose_config(["study=paper", "data=freihand", "data.root=x"])
    pretrain = config.trial.pretrain
    assert config.study.epochs == 100
    assert config.study.images is None
    assert config.study.evidence
    assert (pretrain.batch_size, pretrain.accumulation, pretrain.size_px) == (512, 4, 128)
    assert pretrain.encoder.name == "resnet18"
    assert pretrain.optimizer.name == "lars_adam"
    assert pretrain.optimizer.base_lr == 1e-4
    assert pretrain.optimizer.weight_decay == 1e-6
    assert pretrain.optimizer.warmup_epochs == 10
    assert pretrain.objective == ContrastiveConfig(temperature=0.5)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("study.imagez=3", "unknown key study.imagez; did you mean study.images?"),
        ("search.metrik=1", "search.metrik; did you mean search.metric?"),
        ("+study.imagez=3", "did you mean study.images"),
        ("study.images=three", "study.images"),
        ("study.images=1", "images=1"),
        ("study=unknown", "unknown"),
        ("study.name=a/b", "name='a/b'"),
        ("trial.workers=0", "trial.workers must be >= 1"),
        ("trial.workers=[0,2]", "trial.workers must be >= 1"),
        ("trial.workers=[2,2]", "trial.workers must be a number or [MIN, MAX]"),
        ("trial.workers=[1,2,4]", "trial.workers"),
        ("trial.workers=[1,4]", "a multiple of 12 for trial.workers=[1, 4]"),
        ("trial.resize_s=0", "resize_s"),
        ("trial.executor=thread", "trial.executor"),
        ("trial.executor=actor trial.workers=2", "use trial.executor=train"),
        ("data.boxes=file", "data.boxes=file and data.boxes_file go together"),
        ("data.boxes_file=boxes.json", "data.boxes=file and data.boxes_file go together"),
        ("trial.pretrain.objective.temperature=0", "temperature"),
        ("trial.pretrain.composition=T+X", "X"),
        ("search.augmentations=[scale,flip]", "flip"),
        ("search.augmentations=[]", "at least one"),
        ("data=freihand", "data.root"),
        ("data.name=coco", "data.name"),
        ("results=", "results must name a folder"),
        ("cluster.cpus=many", "cluster.cpus"),
        ("study.name", "study.name"),
        ("study.label=a,b", """study.label=a,b; write 'study.label="a,b"'"""),
        ("study.label=a(b", "a(b"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(override: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_config(override.split(" "))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_auto_takes_the_train_executor_for_several_workers() -> None:
    assert compose_config([]).trial.runs_in == "actor"
    assert compose_config(["trial.workers=2"]).trial.runs_in == "train"
    assert compose_config(["trial.workers=[1,2]"]).trial.runs_in == "train"


def test_an_elastic_trial_takes_a_batch_that_any_number_of_workers_can_share() -> None:
    overrides = ["trial.workers=[1,4]", "trial.pretrain.batch_size=96", "search.rungs=[1]"]
    config = compose_config(overrides)
    assert config.trial.workers == (1, 4)
    assert (config.trial.min_workers, config.trial.max_workers) == (1, 4)
    assert from_dict(Config, to_dict(config)) == config


def test_every_key_has_a_meaning_for_the_help() -> None:
    missing = [option.key for option in describe_options(Config()) if not option.meaning.strip()]
    assert missing == []


def test_options_of_one_group_are_its_fields() -> None:
    keys = [option.key for option in describe_options(StudyConfig())]
    assert keys == [field.name for field in dataclasses.fields(StudyConfig)]
