import shlex

import pytest

from handssl.data import open_store
from search.config.schema import Config
from search.studies.describe import describe, without_secrets
from search.trials.pretrain import PretrainTrial


def test_a_study_is_described_by_its_command_data_and_trials(
    small: Config, small_trials: list[PretrainTrial]
) -> None:
    store = open_store(small.data.store)
    overrides = ["results=a folder", "search.storage='postgresql://ann:secret@db/studies'"]
    study = describe(
        small,
        script="search/run_grid.py",
        overrides=overrides,
        name="synthetic",
        fingerprint=store.fingerprint,
        boxes="joints",
        stores=[store],
        encoders=["resnet10t"],
        trials=small_trials,
    )
    assert list(study.to_dict()) == [
        "schema", "name", "command", "created_at", "fidelity", "data", "versions", "git", "plan",
        "config",
    ]  # fmt: skip
    assert "secret" not in str(study.to_dict())
    assert shlex.split(study.command)[:3] == ["python", "search/run_grid.py", "results=a folder"]
    assert study.fidelity["images"] == len(store)
    assert study.data["images_train"] == len(store.split("train"))
    assert [planned["trial"] for planned in study.plan] == [trial.id for trial in small_trials]
    assert study.plan[0] == {
        "trial": small_trials[0].id,
        "hash": small_trials[0].hash,
        "objective": small_trials[0].point.objective,
        "composition": small_trials[0].point.composition,
        "seed": small_trials[0].seed,
        "repeat": 0,
    }
    assert study.config["study"]["epochs"] == small.study.epochs


@pytest.mark.parametrize(
    "override",
    [
        "search.storage={url}",
        "search.storage='{url}'",
        'search.storage="{url}"',
        "search={{storage: '{url}'}}",
    ],
)
def test_a_command_line_is_stored_without_secrets(override: str) -> None:
    url = "postgresql+psycopg://ann:not%20to%40be@db:5432/studies"
    (stored,) = without_secrets([override.format(url=url)])
    assert stored == override.format(url=url.replace("not%20to%40be", "***"))


def test_a_command_line_is_stored_without_the_keys_of_a_bucket() -> None:
    assert without_secrets(["results=s3://KEY:SECRET@bucket/studies", "study.name=a"]) == [
        "results=s3://bucket/studies",
        "study.name=a",
    ]
