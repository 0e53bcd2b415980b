"""Compositions as strings, labels and sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handssl.augment import AUGMENTATIONS, Composition, compositions
from handssl.errors import ConfigError

TABLE_5 = [
    *("CJ", "CJ+S", "CJ+S+Ro", "CJ+Ro", "S", "S+Ro", "Ro", "T"),
    *("T+CJ", "T+CJ+S", "T+CJ+S+Ro", "T+CJ+Ro", "T+S", "T+S+Ro", "T+Ro"),
]


def test_the_studys_subsets_come_in_the_order_of_table_5() -> None:
    found = compositions(("scale", "translate", "color_jitter", "rotate"))
    assert [composition.label for composition in found] == TABLE_5


@given(st.sets(st.sampled_from(list(AUGMENTATIONS)), min_size=1, max_size=6))
def test_any_set_has_all_its_subsets_once(names: set[str]) -> None:
    found = compositions(sorted(names))
    assert len(found) == len(set(found)) == 2 ** len(names) - 1


@given(st.permutations(list(AUGMENTATIONS)))
def test_the_order_of_names_does_not_matter(names: list[str]) -> None:
    assert Composition.parse("+".join(names)) == Composition.parse("+".join(AUGMENTATIONS))


@pytest.mark.parametrize(
    "text",
    [
        *("", "translate", "translate+color_jitter+scale", "translate+scale/rotate", "translate/"),
        "color_jitter:contrastive+rotate:relative",
        "translate:equivariant+scale:equivariant+rotate:relative",
    ],
)
def test_parsing_what_it_prints_gives_the_same(text: str) -> None:
    composition = Composition.parse(text)
    assert Composition.parse(str(composition)) == composition
    assert hash(Composition.parse(str(composition))) == hash(composition)


def test_labels_are_the_studys() -> None:
    assert Composition.parse("translate+color_jitter+scale").label == "T+CJ+S"
    assert Composition.parse("rotate+translate / scale").label == "T+Ro/S"
    assert Composition.identity().label == ""
    assert Composition.parse("S+T") == Composition.parse("translate+scale")


def test_an_assignment_splits_into_one_composition_per_objective() -> None:
    mixed = Composition.parse("rotate:relative + color_jitter:contrastive + scale:relative")
    assert mixed.assignment == {
        "color_jitter": "contrastive",
        "scale": "relative",
        "rotate": "relative",
    }
    assert mixed.restrict("relative") == Composition.parse("scale+rotate")
    assert mixed.restrict("contrastive") == Composition.parse("color_jitter")
    assert mixed.restrict("equivariant") == Composition.identity()


def test_the_two_views_of_a_pair_may_differ() -> None:
    first, second = Composition.parse("translate+rotate/rotate").views
    assert first == Composition.parse("translate+rotate")
    assert second == Composition.parse("rotate")
    same = Composition.parse("rotate")
    assert same.views == (same, same)


def test_what_either_view_has_can_be_regressed() -> None:
    assert Composition.parse("rotate+sobel/scale+rotate").regressable == ("scale", "rotate")
    assert Composition.parse("/translate").regressable == ("translate",)
    assert Composition.parse("sobel/cutout").regressable == ()


def test_magnitudes_replace_the_released_ones_in_both_views() -> None:
    changed = Composition.parse("rotate/rotate+scale").with_magnitudes(
        {"rotate.max_deg": 30.0, "cutout.max_side_frac": 0.3}
    )
    for view in changed.views:
        rotate = next(own for own in view.augmentations if own.name == "rotate")
        assert rotate.max_deg == 30.0  # type: ignore[attr-defined]
    assert changed.label == "Ro/S+Ro"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flip", r'one of translate, color_jitter, .*got augmentation="flip"'),
        ("translate+translate", "each augmentation once"),
        ("translate+", r'augmentation=""'),
        ("rotate:absolute", r'contrastive, relative, equivariant, but got objective="absolute"'),
        ("sobel:relative", "sobel:relative"),
        ("color_jitter:equivariant", "equivariant must be assigned to one of"),
        ("a/b/c", "two views"),
    ],
)
def test_bad_strings_are_refused_with_the_way_out(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Composition.parse(text)


@pytest.mark.parametrize(
    ("magnitudes", "message"),
    [
        ({"rotate.angle": 3.0}, r"one of rotate\.max_deg"),
        ({"flip.max": 3.0}, 'augmentation="flip"'),
        ({"rotate.max_deg": 400.0}, "rotate.max_deg must .*max_deg=400"),
        ({"cutout.max_side_frac": 2.0}, "cutout.max_side_frac"),
    ],
)
def test_bad_magnitudes_are_refused_even_where_unused(
    magnitudes: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Composition.parse("rotate").with_magnitudes(magnitudes)


def test_an_entry_too_few_and_no_shared_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="one entry an augmentation"):
        Composition(augmentations=(AUGMENTATIONS["rotate"](),))
    with pytest.raises(ConfigError, match="shared_rows must be >= 1, but got shared_rows=0"):
        Composition(shared_rows=0)
