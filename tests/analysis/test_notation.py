from itertools import combinations

import pytest

from analysis.notation import (
    PAPER_ROWS,
    TOKENS,
    composition_label,
    composition_tokens,
    full_factorial,
    objective_title,
    objective_variant,
    sort_compositions,
    sort_variants,
)
from handssl.augment import AUGMENTATIONS, compositions


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("translate+color_jitter+scale", "T+CJ+S"),
        ("Ro+S", "S+Ro"),
        ("rotate:relative+color_jitter:contrastive", "CJ:c+Ro:r"),
        ("Ro:equivariant+T:relative/T:relative", "T:r+Ro:e/T:r"),
        ("cutout+translate", "T+CO"),
        ("unheard_of+T", "T+unheard_of"),
        ("", ""),
        ("T+S/Ro", "T+S/Ro"),
        ("scale/", "S/"),
    ],
)
def test_labels_are_the_study_s(text: str, label: str) -> None:
    assert composition_label(text) == label


def test_the_study_s_rows_are_all_subsets_and_come_first_in_its_order() -> None:
    subsets = {
        frozenset(subset)
        for size in (1, 2, 3, 4)
        for subset in combinations(("T", "CJ", "S", "Ro"), size)
    }
    assert {frozenset(composition_tokens(label)) for label in PAPER_ROWS} == subsets
    assert sort_compositions(["CO", "T+CO", *reversed(PAPER_ROWS)]) == [*PAPER_ROWS, "CO", "T+CO"]


def test_full_factorial_needs_every_subset() -> None:
    assert full_factorial(PAPER_ROWS) == ("T", "CJ", "S", "Ro")
    assert full_factorial(PAPER_ROWS[1:]) is None
    assert full_factorial(["T", "S", "T+S"]) == ("T", "S")
    assert full_factorial(["T", "S", "T/S", "T:c+S:r"]) is None
    assert full_factorial([]) is None


@pytest.mark.parametrize(
    ("label", "options", "variant"),
    [
        ("relative", {"name": "relative", "targets": "standardised"}, "relative:standardised"),
        ("relative_released", {"name": "relative", "targets": "released"}, "relative:released"),
        ("contrastive", {"name": "contrastive", "targets": "standardised"}, "contrastive"),
        ("cold", {"name": "contrastive"}, "contrastive:cold"),
        ("contrastive", None, "contrastive"),
    ],
)
def test_variants_say_what_changes_an_objective_s_meaning(
    label: str, options: object, variant: str
) -> None:
    assert objective_variant(label, options) == variant


def test_titles_and_order_of_variants() -> None:
    assert objective_title("relative:released") == "Relative (released targets)"
    assert objective_title("something_new") == "Something new"
    given = ["equivariant", "contrastive", "relative:released", "relative:standardised"]
    assert sort_variants(given) == [
        "relative:standardised", "relative:released", "contrastive", "equivariant",
    ]  # fmt: skip


def test_the_notation_is_the_one_that_the_search_writes() -> None:
    assert list(TOKENS.items()) == [(name, kind.symbol) for name, kind in AUGMENTATIONS.items()]
    study = compositions(("scale", "translate", "color_jitter", "rotate"))
    assert [composition.label for composition in study] == list(PAPER_ROWS)
