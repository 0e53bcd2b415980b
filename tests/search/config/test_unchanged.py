"""Configurations, ids, hashes and seeds are those of revision ebbf542, under the present names.

That revision wrote the fixtures:
  configs.json: plain(compose_config(overrides, NAME, SCHEMA)) for "NAME overrides"
  hashes.json: {t.id: [t.hash, t.seed] for t in resolve_all(config, points, "fingerprint")}, with
    points = grid(config.search) or, for a sampled search, ends(config.search)
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from search.config.compose import compose_config
from search.config.metric import SearchMetric
from search.config.renamed import RENAMED_VALUES, upgrade_config
from search.config.schema import CommonConfig, Config
from search.config.transfer import TransferStudyConfig
from search.config.typed import from_dict
from search.space.grid import corner_points, grid
from search.studies.grid import resolver_of

FIXTURES = Path(__file__).parents[2] / "fixtures"
CONFIGS: dict[str, Any] = json.loads((FIXTURES / "configs.json").read_text())
HASHES: dict[str, Any] = json.loads((FIXTURES / "hashes.json").read_text())
OPTIONS = "chunk: 4, weight: 0.5"
SCHEMAS: dict[str, type[CommonConfig]] = {"grid": Config, "transfer": TransferStudyConfig}


def without_names(config: CommonConfig) -> CommonConfig:
    """The configuration without the study's name and label, which are new, and the metric."""
    study = dataclasses.replace(config.study, name="study", label="")
    if isinstance(config, Config):  # ranked by the paper's metric, whose default changed
        search = dataclasses.replace(config.search, metric=SearchMetric())
        config = dataclasses.replace(config, search=search)
    return dataclasses.replace(config, study=study, fidelity="")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_study_composes_to_the_values_that_it_had(name: str) -> None:
    command, *overrides = name.split()
    for (key, old), new in RENAMED_VALUES.items():
        overrides = [f"{key}={new}" if each == f"{key}={old}" else each for each in overrides]
    if "fidelity=paper" in overrides:
        overrides += ["data_sets.FH.root=a", "data_sets.IH.root=b"]
    before = upgrade_config(CONFIGS[name])
    rows = before.get("transfer", {}).get("rows", {})
    if "looks" in rows:
        rows["domains"] = rows.pop("looks")
    composed = compose_config(overrides, command, SCHEMAS[command])
    assert without_names(composed) == without_names(from_dict(SCHEMAS[command], before))


@pytest.mark.parametrize("case", HASHES)
def test_a_trial_has_the_id_the_hash_and_the_seed_that_it_had(case: str) -> None:
    overrides = [each.replace("OPTIONS", OPTIONS) for each in HASHES[case]["overrides"]]
    config = compose_config(overrides)
    points = grid(config.search) if config.search.kind == "grid" else corner_points(config.search)
    trials = resolver_of(config, "fingerprint").resolve_all(points)
    assert {trial.id: [trial.hash, trial.seed] for trial in trials} == HASHES[case]["trials"]
