import dataclasses

import pytest

from handssl.augment import compositions
from handssl.errors import ConfigError
from handssl.objectives import OBJECTIVE_CONFIGS, OBJECTIVES, ContrastiveConfig
from handssl.objectives.contrastive import ContrastiveObjective
from search.config.compose import compose_config
from search.config.search import SearchConfig
from search.space.grid import corner_points, grid
from search.space.sample import parameters_of
from search.studies.grid import resolver_of

MIXED = SearchConfig(objectives={"mixed": {"name": "mixed"}}, kind="tpe")
T_S_RO = ("translate", "scale", "rotate")


def test_the_default_grid_is_the_papers_thirty_trials_in_the_order_of_table_5() -> None:
    points = grid(SearchConfig())
    assert len(points) == 30
    labels = [c.label for c in compositions(("translate", "scale", "color_jitter", "rotate"))]
    assert [p.composition for p in points[::2]] == labels
    assert [p.objective for p in points[:2]] == ["relative", "contrastive"]


def test_what_the_relative_objective_cannot_regress_is_left_out_of_the_space() -> None:
    points = grid(SearchConfig(augmentations=("sobel", "rotate")))
    assert {(p.objective, p.composition) for p in points} == {
        ("contrastive", "So"),
        ("contrastive", "Ro"),
        ("contrastive", "Ro+So"),
        ("relative", "Ro"),
        ("relative", "Ro+So"),
    }


def test_a_grid_multiplies_the_choices_of_other_keys_where_they_mean_something() -> None:
    search = SearchConfig(
        augmentations=("rotate",),
        space={
            "objective": {"temperature": {"choices": [0.1, 0.5]}},
            "batch_size": {"choices": [8]},
        },
    )
    assert [(p.objective, dict(p.values)) for p in grid(search)] == [
        ("relative", {"batch_size": 8}),
        ("contrastive", {"objective.temperature": 0.1, "batch_size": 8}),
        ("contrastive", {"objective.temperature": 0.5, "batch_size": 8}),
    ]


def test_a_grid_can_be_cut_to_the_points_that_patterns_name() -> None:
    search = SearchConfig(include=("contrastive T+S", "relative *Ro*"), augmentations=T_S_RO)
    assert [(p.objective, p.composition) for p in grid(search)] == [
        ("relative", "S+Ro"),
        ("relative", "Ro"),
        ("contrastive", "T+S"),
        ("relative", "T+S+Ro"),
        ("relative", "T+Ro"),
    ]
    with pytest.raises(ConfigError, match=r"search\.include must hold .* got 'contrastive CJ'"):
        grid(SearchConfig(include=("contrastive CJ",), augmentations=T_S_RO))
    with pytest.raises(ConfigError, match=r"search\.include .*contrastive T"):
        SearchConfig(kind="tpe", include=("contrastive T",))


def test_a_grid_tries_more_augmentations_alone_where_the_objective_can() -> None:
    search = SearchConfig(
        augmentations=("rotate",), single_augmentations=("sobel", "crop", "rotate")
    )
    assert [(p.objective, p.composition) for p in grid(search)] == [
        ("relative", "Ro"),
        ("contrastive", "Ro"),
        ("contrastive", "So"),
        ("contrastive", "Cr"),
    ]
    asked = [parameters_of(point, search)[0] for point in grid(search)]
    assert len({str(sorted(each.items())) for each in asked}) == 4
    assert asked[2] == {"objective": "contrastive", "sobel": True, "crop": False, "rotate": False}


def test_a_grid_refuses_a_range_that_it_cannot_exhaust() -> None:
    search = SearchConfig(space={"batch_size": {"low": 8, "high": 64}})
    with pytest.raises(ConfigError, match=r"search\.space\.batch_size must list choices"):
        grid(search)


def test_a_space_without_a_point_is_refused() -> None:
    alone = SearchConfig(augmentations=("sobel",), objectives={"relative": {}})
    with pytest.raises(ConfigError, match="must have one of translate, color_jitter, scale"):
        grid(alone)


def test_an_objective_that_is_only_registered_has_its_temperature_varied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class AnotherConfig(ContrastiveConfig):
        name: str = "another"

    monkeypatch.setitem(OBJECTIVES, "another", ContrastiveObjective)
    monkeypatch.setitem(OBJECTIVE_CONFIGS, "another", AnotherConfig)
    search = SearchConfig(
        augmentations=("rotate",),
        objectives={"another": {"name": "another"}},
        space={"objective.temperature": {"choices": [0.1, 0.5]}},
    )
    points = grid(search)
    assert [dict(point.values)["objective.temperature"] for point in points] == [0.1, 0.5]
    config = dataclasses.replace(compose_config(), search=search)
    trials = resolver_of(config).resolve_all(points)
    assert [trial.pretrain.objective.name for trial in trials] == ["another"] * 2


def test_corner_points_hold_everything_at_both_limits_of_each_range() -> None:
    space = {
        "optimizer.base_lr": {"low": 1e-5, "high": 1e-2, "log": True},
        "batch_size": {"low": 8, "high": 64},
        "magnitudes.rotate.max_deg": {"choices": [10.0, 90.0]},
    }
    points = corner_points(SearchConfig(kind="tpe", space=space))
    assert {(p.objective, p.composition) for p in points} == {
        ("contrastive", "T+CJ+S+Ro"),
        ("relative", "T+CJ+S+Ro"),
    }
    for key, extremes in (
        ("optimizer.base_lr", {1e-5, 1e-2}),
        ("batch_size", {8, 64}),
        ("magnitudes.rotate.max_deg", {10.0, 90.0}),
    ):
        assert extremes <= {dict(point.values)[key] for point in points}
    assigned = {point.composition for point in corner_points(MIXED)}
    assert "T:relative+CJ:relative+S:relative+Ro:relative" in assigned
    assert "T:equivariant+CJ:contrastive+S:equivariant+Ro:equivariant" in assigned
