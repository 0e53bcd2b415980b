"""The contract of the family: every configuration joins through one entry of CASES."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from handssl.augment import Composition
from handssl.errors import ConfigError
from handssl.objectives import (
    OBJECTIVE_CONFIGS,
    OBJECTIVES,
    Objective,
    ObjectiveConfig,
    ViewPair,
    build_objective,
    from_schema_1,
    hash_form,
    objective_config,
)

MIXED = "rotate:relative+translate:relative+color_jitter:contrastive"
CASES: dict[str, tuple[ObjectiveConfig, str]] = {
    "contrastive": (objective_config(), "T+CJ+sobel"),
    "chunked": (objective_config(chunk_size=5), "T+CJ"),
    "relative": (objective_config("relative"), "T+CJ+S+Ro+cutout"),
    "released": (objective_config("relative", targets="released"), "T+CJ+S+Ro"),
    "sincos": (objective_config("relative", rotation="sincos", norm="l2"), "T+Ro"),
    "asymmetric": (objective_config("relative"), "T+Ro/Ro+S"),
    "equivariant": (objective_config("equivariant"), "T+CJ+S+Ro"),
    "exact": (objective_config("equivariant", equivariance="exact"), "T+S+Ro+crop"),
    "mixed": (objective_config("mixed"), MIXED),
    "shared": (objective_config("mixed", mixture="shared", contrastive_weighting="sigma"), MIXED),
    "triple": (objective_config("mixed"), f"{MIXED}+scale:equivariant"),
    "care": (objective_config("care", chunk=4), "T+Ro"),
}
DIM = 8


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(case: str) -> Objective:
    config, composition = CASES[case]
    heads = {"hidden_dim": 16, "projection_dim": 6}
    values: dict[str, Any] = {k: v for k, v in heads.items() if hasattr(config, k)}
    small = dataclasses.replace(config, **values)
    torch.manual_seed(0)
    return build_objective(small, Composition.parse(composition), DIM)


@pytest.fixture
def objective(case: str) -> Objective:
    return build(case)


@pytest.fixture
def pairs(objective: Objective, make_pair: Callable[..., ViewPair]) -> list[ViewPair]:
    return [make_pair(composition, dim=DIM) for composition in objective.pairs]


def test_every_objective_has_a_case() -> None:
    assert {config.name for config, _ in CASES.values()} == set(OBJECTIVES)


def test_the_page_of_methods_lists_every_objective_and_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    section = page.partition("## Objectives")[2]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == list(OBJECTIVES)
    for config in OBJECTIVE_CONFIGS.values():
        for field in dataclasses.fields(config):
            assert re.search(rf"[`.]{field.name}[`.]", section), field.name


def test_it_gives_a_finite_scalar_and_detached_scalar_terms(
    objective: Objective, pairs: list[ViewPair]
) -> None:
    output = objective(pairs)
    assert output.terms
    for value in (output.loss, *output.terms.values()):
        assert value.shape == ()
        assert value.isfinite()
        assert value.requires_grad == (value is output.loss)


def test_its_gradient_reaches_both_views_and_all_its_parameters(
    objective: Objective, pairs: list[ViewPair]
) -> None:
    objective(pairs).loss.backward()
    for pair in pairs:
        for features in (pair.features_a, pair.features_b):
            assert features.grad is not None
            assert (features.grad.abs().sum(1) > 0).all()
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_few_steps_on_one_batch_lower_its_loss(
    objective: Objective, pairs: list[ViewPair]
) -> None:
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = objective(pairs).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_its_state_survives_a_round_trip(
    case: str, objective: Objective, pairs: list[ViewPair]
) -> None:
    other = build(case)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(0.1)
    other.load_state_dict(objective.state_dict())
    assert torch.equal(objective(pairs).loss, other(pairs).loss)


def test_its_batch_norms_are_plain_so_that_a_trainer_can_replace_them(
    objective: Objective,
) -> None:
    norms = [module for module in objective.modules() if "Norm" in type(module).__name__]
    assert all(type(module) is nn.BatchNorm1d for module in norms)


def test_autocast_reaches_the_heads_and_nothing_behind_them(
    objective: Objective, pairs: list[ViewPair]
) -> None:
    expected = objective(pairs)
    for head in (module for module in objective.modules() if isinstance(module, nn.Linear)):
        # In float32, so that any difference comes from what follows them.
        head.register_forward_pre_hook(lambda *_: torch.set_autocast_enabled("cpu", False))
        head.register_forward_hook(lambda *_: torch.set_autocast_enabled("cpu", True))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = objective(pairs)
    torch.testing.assert_close(output.loss, expected.loss, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(output.terms, expected.terms, atol=1e-6, rtol=1e-6)


def test_it_computes_in_float32_inside_autocast(
    objective: Objective, pairs: list[ViewPair]
) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert objective(pairs).loss.dtype == torch.float32


def test_every_objective_has_a_configuration_of_its_name() -> None:
    assert list(OBJECTIVE_CONFIGS) == list(OBJECTIVES)
    for name, kind in OBJECTIVE_CONFIGS.items():
        assert objective_config(name) == kind(name=name)
    with pytest.raises(ConfigError, match=r"RelativeConfig.*name='care'"):
        OBJECTIVE_CONFIGS["relative"](name="care")


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "mixed"])
def test_assignments_outside_mixed_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"must be mixed.*objective.name={name}"):
        build_objective(objective_config(name), Composition.parse(MIXED), DIM)


@pytest.mark.parametrize("name", OBJECTIVE_CONFIGS)
def test_the_flat_form_of_schema_1_gives_the_configuration_back(name: str) -> None:
    changes: dict[str, object] = {"chunk": 4} if name == "care" else {}
    config = objective_config(name, **changes)
    flat = hash_form(config, objective_config(temperature=0.1, hidden_dim=64))
    assert len(flat) == 13
    assert flat["options"] == changes
    assert (flat["hidden_dim"] == 64) == (name == "relative")
    assert objective_config(**from_schema_1(flat)) == config


def test_a_setting_of_another_objective_is_dropped_unless_that_would_lose_it() -> None:
    flat = hash_form(objective_config(), objective_config("relative", targets="released"))
    assert "targets" not in from_schema_1(flat)
    assert from_schema_1(flat, strict=True)["targets"] == "released"
    assert "norm" not in from_schema_1(flat, strict=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "byol"}, r"contrastive, relative, .*name='byol'"),
        ({"name": "relative", "temperature": 0.1}, r"targets, rotation, norm.*temperature=0\.1"),
        ({"temperature": 0.0}, r"temperature must be > 0, but got temperature=0\.0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"name": "care", "weight": -1.0}, "weight must be >= 0"),
        ({"name": "care", "chunk": 1}, "chunk must be >= 2, but got chunk=1"),
        ({"chunk_size": 0}, "chunk_size must be >= 1"),
        ({"hidden_dim": 0}, "hidden_dim must be >= 1"),
        ({"projection_dim": -2}, "projection_dim must be >= 1"),
        ({"name": "relative", "targets": "raw"}, "targets must be one of standardised, released"),
        ({"name": "relative", "rotation": "quaternion"}, "rotation must be one of angle, sincos"),
        ({"name": "relative", "norm": "l3"}, "norm must be one of l1, l2"),
        ({"name": "equivariant", "equivariance": "approximate"}, r"equivariance .*approximate"),
        ({"name": "mixed", "mixture": "both"}, "mixture must be one of separate, shared"),
        ({"name": "mixed", "contrastive_weighting": "auto"}, r"contrastive_weighting .*auto"),
        ({"name": "mixed", "contrastive_weight": -1.0}, "contrastive_weight must be >= 0"),
        ({"name": "relative", "rotation": "sincos", "targets": "released"}, r"rotation=sincos"),
    ],
)
def test_configurations_that_cannot_be_used_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        objective_config(**changes)
