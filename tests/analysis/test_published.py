import pytest

from analysis.notation import PAPER_ROWS
from analysis.published import COMPOSITIONS, FIGURE_3, TRANSFER


def test_table_5_has_every_composition_of_both_objectives() -> None:
    assert len(COMPOSITIONS) == 30
    for objective in ("relative", "contrastive"):
        assert tuple(label for name, label in COMPOSITIONS if name == objective) == PAPER_ROWS


@pytest.mark.parametrize(
    ("objective", "label", "mpjpe", "median"),
    [("contrastive", "T+CJ+S", 26.16, 12.05), ("relative", "T+S", 64.11, 23.31)],
)
def test_table_1_is_the_lowest_median_of_table_5(
    objective: str, label: str, mpjpe: float, median: float
) -> None:
    own = {key: value for key, value in COMPOSITIONS.items() if key[0] == objective}
    best = min(own, key=lambda key: own[key].median_pje_cm)
    assert best == (objective, label)
    assert (own[best].mpjpe_cm, own[best].median_pje_cm) == (mpjpe, median)


def test_figure_3_has_the_four_single_augmentations_of_each_objective() -> None:
    assert {label for _, label in FIGURE_3} == {"T", "CJ", "S", "Ro"}


def test_transfer_tables_are_complete_and_their_numbers_plausible() -> None:
    assert [half.number for half in TRANSFER] == [2, 3, 3, 4, 4, 6, 6, 7, 7, 8, 9]
    for half in TRANSFER:
        for row in half.rows:
            for metric, value in row.values.items():
                if value is not None:
                    assert 0 < value < (1 if "auc" in metric else 100), (half.number, row.model)
