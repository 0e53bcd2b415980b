import pytest

from handssl.errors import ConfigError
from handssl.objectives import objective_config
from search.config.compose import compose_config
from search.config.typed import to_dict
from search.space.grid import grid
from search.space.point import Point, point_from
from search.studies.grid import resolver_of


def test_identity_covers_what_decides_the_numbers_and_nothing_else() -> None:
    def first(*overrides: str, fingerprint: str = "f") -> str:
        config = compose_config(list(overrides))
        return resolver_of(config, fingerprint).resolve(grid(config.search)[0]).hash

    base = first()
    for same in (
        "trial.executor=train",
        "results=elsewhere",
        "study.name=other",
        "search.concurrent=1",
        "trial.pretrain.checkpoint_every=5",
        "trial.diagnostics.images=64",
    ):
        assert first(same) == base, same
    for other in (
        "study.epochs=7",
        "study.seed=1",
        "study.images=400",
        "trial.pretrain.batch_size=32",
        "trial.pretrain.optimizer.base_lr=1",
    ):
        assert first(other) != base, other
    assert first(fingerprint="g") != base


def test_trials_are_distinct_and_the_same_every_time() -> None:
    config = compose_config(["search.repeats=2"])
    trials = resolver_of(config, "f").resolve_all(grid(config.search))
    assert len({t.id for t in trials}) == len({t.hash for t in trials}) == 60
    assert len({t.seed for t in trials}) == 60
    assert trials == resolver_of(config, "f").resolve_all(grid(config.search))


def test_a_points_values_reach_the_configuration() -> None:
    values = (
        ("optimizer.base_lr", 0.5),
        ("objective.temperature", 0.07),
        ("magnitudes.rotate.max_deg", 10.0),
        ("batch_size", 8),
    )
    point = Point(objective="contrastive", composition="T+Ro", values=values)
    pretrain = resolver_of(compose_config(), "f").resolve(point).pretrain
    assert pretrain.optimizer.base_lr == 0.5
    assert pretrain.objective == objective_config(temperature=0.07)
    assert pretrain.magnitudes == {"rotate.max_deg": 10.0}
    assert pretrain.batch_size == 8
    assert pretrain.composition == "T+Ro"


def test_an_objective_may_override_other_keys_of_its_trials() -> None:
    config = compose_config(
        [
            "+search.objectives.slow={name: relative, targets: released, "
            "pretrain: {optimizer: {base_lr: 0.25}, batch_size: 8}}"
        ]
    )
    pretrain = resolver_of(config, "f").resolve(Point(objective="slow", composition="T")).pretrain
    default = (
        resolver_of(config, "f").resolve(Point(objective="relative", composition="T")).pretrain
    )
    assert (pretrain.optimizer.base_lr, pretrain.batch_size) == (0.25, 8)
    assert pretrain.optimizer.name == default.optimizer.name
    assert pretrain.objective == objective_config("relative", targets="released")
    wrong = compose_config(["+search.objectives.slow={name: relative, pretrain: {lr: 1}}"])
    with pytest.raises(ConfigError, match=r"one of trial\.pretrain.s .* got lr"):
        resolver_of(wrong, "f").resolve(Point(objective="slow", composition="T"))


def test_points_that_come_to_the_same_are_one_trial() -> None:
    twice = [Point(objective="contrastive", composition="T")] * 2
    assert len(resolver_of(compose_config(), "f").resolve_all(twice)) == 1


def test_a_point_survives_its_record() -> None:
    point = Point(objective="a", composition="T", values=(("b.c", 0.1),), repeat=2)
    assert point_from(to_dict(point)) == point


def test_a_label_whose_overrides_are_wrong_is_named() -> None:
    config = compose_config(["+search.objectives.odd={name: relative, target: released}"])
    with pytest.raises(ConfigError, match=r"search\.objectives\.odd.*targets"):
        resolver_of(config, "f").resolve_all(grid(config.search))


def test_a_key_that_is_none_is_named() -> None:
    point = Point(objective="relative", composition="T", values=(("optimizer.rate", 1),))
    with pytest.raises(ConfigError, match=r"optimizer\.rate|rate"):
        resolver_of(compose_config(), "f").resolve(point)
