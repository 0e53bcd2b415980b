import dataclasses

import optuna
import pytest

from handssl.augment import Composition
from handssl.errors import ConfigError
from search.config.compose import compose_config
from search.config.search import SearchConfig
from search.space.grid import grid
from search.space.point import Point
from search.space.sample import parameters_of, sample_point

MIXED = SearchConfig(objectives={"mixed": {"name": "mixed"}}, kind="tpe")


def sampled(search: SearchConfig, n: int) -> list[tuple[optuna.trial.FrozenTrial, Point]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    pairs = []
    for _ in range(n):
        trial = study.ask()
        point = sample_point(trial, search)
        study.tell(trial, 1.0)
        pairs.append((study.trials[trial.number], point))
    return pairs


@pytest.mark.parametrize("kind", ["grid", "random"])
def test_the_equivariant_objective_gets_no_composition_without_geometry(kind: str) -> None:
    search = SearchConfig(
        kind=kind,  # type: ignore[arg-type]
        augmentations=("color_jitter", "rotate", "sobel"),
        objectives={"equivariant": {"name": "equivariant"}},
    )
    points = grid(search) if kind == "grid" else [point for _, point in sampled(search, 60)]
    assert {p.composition for p in points} == {"Ro", "CJ+Ro", "Ro+So", "CJ+Ro+So"}


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


@pytest.mark.parametrize(
    ("composition", "values", "message"),
    [
        ("T", {"batch_size": 65}, r"65.*batch_size"),
        ("T+CJ", {"batch_size": 8}, "is not in the space"),
        ("CJ", {"batch_size": 8}, "is not in the space"),
        ("T", {"batch_size": 8, "accumulation": 8}, "is not in the space"),
    ],
)
def test_a_point_outside_the_space_is_not_taken_for_another(
    composition: str, values: dict[str, int], message: str
) -> None:
    space = {"batch_size": {"low": 8, "high": 64}}
    search = SearchConfig(kind="tpe", augmentations=("translate", "rotate"), space=space)
    point = Point(objective="contrastive", composition=composition, values=tuple(values.items()))
    for partial in (False, True):
        with pytest.raises(ValueError, match=message):
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
        ("batch_size: {low: 1, hihg: 8}", "unknown key hihg; did you mean high"),
        ("batch_size: 3", "but got 3"),
        ("batch_sise: {choices: [1]}", "batch_sise"),
    ],
)
def test_a_range_that_is_wrong_is_named(space: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        compose_config([f"+search.space={{{space}}}"])
