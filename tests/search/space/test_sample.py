import dataclasses

import optuna
import pytest

from handssl.augment import Composition, compositions
from handssl.errors import ConfigError
from handssl.objectives import OBJECTIVE_CONFIGS, OBJECTIVES, ContrastiveConfig
from handssl.objectives.contrastive import ContrastiveObjective
from search.config.compose import compose_config
from search.config.search import SearchConfig
from search.space.corners import corner_points
from search.space.grid import grid
from search.space.point import Point
from search.space.sample import parameters_of, sample_point
from search.studies.grid import resolver_of

MIXED = SearchConfig(objectives={"mixed": {"name": "mixed"}}, kind="tpe")

T_S_RO = ("translate", "scale", "rotate")


def sampled(search: SearchConfig, n: int) -> list[tuple[optuna.trial.FrozenTrial, Point]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = []
    for _ in range(n):
        trial = study.ask()
        point = sample_point(trial, search)
        study.tell(trial, 1.0)
        found.append((study.trials[trial.number], point))
    return found


def test_the_default_grid_is_the_studys_thirty_trials_in_the_order_of_table_5() -> None:
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


@pytest.mark.parametrize("kind", ["grid", "random"])
def test_the_equivariant_objective_gets_no_composition_without_geometry(kind: str) -> None:
    search = SearchConfig(
        kind=kind,  # type: ignore[arg-type]
        augmentations=("color_jitter", "rotate", "sobel"),
        objectives={"equivariant": {"name": "equivariant"}},
    )
    points = grid(search) if kind == "grid" else [point for _, point in sampled(search, 60)]
    assert {p.composition for p in points} == {"Ro", "CJ+Ro", "Ro+So", "CJ+Ro+So"}


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
    shown = [parameters_of(point, search)[0] for point in grid(search)]
    assert len({str(sorted(own.items())) for own in shown}) == 4
    assert shown[2] == {"objective": "contrastive", "sobel": True, "crop": False, "rotate": False}


def test_a_grid_refuses_a_range_that_it_cannot_exhaust() -> None:
    search = SearchConfig(space={"batch_size": {"low": 8, "high": 64}})
    with pytest.raises(ConfigError, match=r"search\.space\.batch_size must list choices"):
        grid(search)


def test_a_sampled_space_holds_the_points_of_the_grid_and_no_others() -> None:
    search = SearchConfig(kind="tpe", augmentations=("sobel", "rotate", "scale"))
    seen = {(p.objective, p.composition) for _, p in sampled(search, 400)}
    assert seen == {(p.objective, p.composition) for p in grid(search)}


def test_every_sampled_assignment_is_one_that_a_mixed_objective_takes() -> None:
    seen = {point.composition for _, point in sampled(MIXED, 400)}
    assert len(seen) > 100
    for text in seen:
        composition = Composition.parse(text)
        assert composition.names
        assert None not in composition.assignment.values()
    assert {point.composition for point in grid(MIXED)} >= seen


def test_the_second_view_of_every_pair_may_get_something_else() -> None:
    search = SearchConfig(augmentations=("rotate", "sobel"), second_view="translate")
    assert {(p.objective, p.composition) for p in grid(search)} == {
        (label, composition)
        for label in ("contrastive", "relative")
        for composition in ("Ro/T", "So/T", "Ro+So/T")
    }
    plain = dataclasses.replace(search, second_view="")
    assert ("relative", "So/") not in {(p.objective, p.composition) for p in grid(plain)}
    assert Composition.parse("Ro/").views[1] == Composition.identity()
    for asymmetric in (search, plain):
        seen = {(p.objective, p.composition) for _, p in sampled(tpe(asymmetric), 100)}
        assert seen == {(p.objective, p.composition) for p in grid(asymmetric)}
    mixed = dataclasses.replace(MIXED, second_view="color_jitter:contrastive")
    for _, point in sampled(mixed, 20):
        assert point.composition.endswith("/CJ:contrastive")


def tpe(search: SearchConfig) -> SearchConfig:
    return dataclasses.replace(search, kind="tpe")


@pytest.mark.parametrize("kind", ["grid", "tpe"])
def test_a_magnitude_of_the_second_view_varies_too(kind: str) -> None:
    space = {"magnitudes.rotate.max_deg": {"choices": [30.0, 60.0]}}
    search = SearchConfig(augmentations=("scale",), second_view="rotate", space=space)
    points = grid(search) if kind == "grid" else [p for _, p in sampled(tpe(search), 30)]
    assert {dict(p.values)["magnitudes.rotate.max_deg"] for p in points} == {30.0, 60.0}


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
    assert [
        trial.pretrain.objective.name for trial in resolver_of(config).resolve_all(points)
    ] == [
        "another",
        "another",
    ]


def test_the_ends_of_a_sampled_space_hold_everything_at_both_ends_of_each_range() -> None:
    space = {
        "optimizer.base_lr": {"low": 1e-5, "high": 1e-2, "log": True},
        "batch_size": {"low": 8, "high": 64},
        "magnitudes.rotate.max_deg": {"choices": [10.0, 90.0]},
    }
    found = corner_points(SearchConfig(kind="tpe", space=space))
    assert {(p.objective, p.composition) for p in found} == {
        ("contrastive", "T+CJ+S+Ro"),
        ("relative", "T+CJ+S+Ro"),
    }
    for key, extremes in (
        ("optimizer.base_lr", {1e-5, 1e-2}),
        ("batch_size", {8, 64}),
        ("magnitudes.rotate.max_deg", {10.0, 90.0}),
    ):
        assert extremes <= {dict(point.values)[key] for point in found}
    assigned = {point.composition for point in corner_points(MIXED)}
    assert "T:relative+CJ:relative+S:relative+Ro:relative" in assigned
    assert "T:equivariant+CJ:contrastive+S:equivariant+Ro:equivariant" in assigned


def test_temperature_is_only_asked_where_there_is_a_contrastive_term() -> None:
    space = {
        "objective.temperature": {"low": 0.05, "high": 1.0, "log": True},
        "magnitudes.rotate.max_deg": {"low": 10.0, "high": 90.0},
    }
    search = SearchConfig(kind="tpe", space=space)
    for _, point in sampled(search, 60):
        keys = dict(point.values).keys()
        assert ("objective.temperature" in keys) == (point.objective == "contrastive")
        assert ("magnitudes.rotate.max_deg" in keys) == ("Ro" in point.composition)


@pytest.mark.parametrize(
    "search",
    [
        SearchConfig(
            kind="tpe",
            space={
                "optimizer.base_lr": {"low": 1e-5, "high": 1e-2, "log": True},
                "batch_size": {"low": 8, "high": 64},
                "objective.targets": {"choices": ["standardised", "released"]},
            },
        ),
        MIXED,
    ],
    ids=["ranges", "mixed"],
)
def test_a_known_point_gives_back_the_parameters_it_was_sampled_with(search: SearchConfig) -> None:
    for frozen, point in sampled(search, 60):
        parameters, distributions = parameters_of(point, search)
        assert parameters == frozen.params
        assert distributions == frozen.distributions


def test_a_point_outside_the_space_is_refused() -> None:
    search = SearchConfig(kind="tpe", space={"batch_size": {"low": 8, "high": 64}})
    point = Point(objective="contrastive", composition="T", values=(("batch_size", 65),))
    with pytest.raises(ValueError, match=r"65.*batch_size"):
        parameters_of(point, search)


@pytest.mark.parametrize(
    "point",
    [
        Point(objective="contrastive", composition="T+CJ"),
        Point(objective="contrastive", composition="CJ"),
        Point(objective="contrastive", composition="T", values=(("batch_size", 8),)),
    ],
)
def test_a_point_that_says_more_than_the_space_asks_is_not_taken_for_another(point: Point) -> None:
    search = SearchConfig(kind="tpe", augmentations=("translate", "rotate"))
    for partial in (False, True):
        with pytest.raises(ValueError, match="is not in the space"):
            parameters_of(point, search, partial=partial)


def test_what_a_point_does_not_say_is_left_open_only_on_request() -> None:
    search = SearchConfig(kind="tpe", space={"optimizer.base_lr": {"low": 1e-5, "high": 1e-2}})
    point = Point(objective="contrastive", composition="T")
    with pytest.raises(ValueError, match=r"optimizer\.base_lr"):
        parameters_of(point, search)
    parameters, _ = parameters_of(point, search, partial=True)
    assert parameters == {
        "objective": "contrastive",
        "translate": True,
        "scale": False,
        "color_jitter": False,
        "rotate": False,
    }


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("batch_size: {low: 9, high: 8}", "low must be < high"),
        ("batch_size: {low: 0, high: 8, log: true}", "low must be > 0"),
        ("batch_size: {choices: []}", "choices must list at least one"),
        ("batch_size: {low: 1, high: 8, choices: [1]}", "choices or low and high"),
        ("batch_size: {low: 1, hihg: 8}", "but got hihg, low"),
        ("batch_size: 3", "but got 3"),
        ("batch_sise: {choices: [1]}", "batch_sise"),
    ],
)
def test_a_range_that_is_wrong_is_named(space: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        compose_config([f"+search.space={{{space}}}"])
