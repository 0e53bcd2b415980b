import pytest

from analysis.notation import PAPER_ROWS
from analysis.published import COMPOSITIONS, TRANSFER


@pytest.mark.parametrize(
    ("objective", "label", "mpjpe", "median"),
    [("contrastive", "T+CJ+S", 26.16, 12.05), ("relative", "T+S", 64.11, 23.31)],
)
def test_table_5_is_complete_and_table_1_is_its_lowest_median(
    objective: str, label: str, mpjpe: float, median: float
) -> None:
    rows = COMPOSITIONS[objective]
    assert tuple(rows) == PAPER_ROWS
    assert min(rows, key=lambda name: rows[name].median_pje_cm) == label
    assert (rows[label].mpjpe_cm, rows[label].median_pje_cm) == (mpjpe, median)


def test_transfer_tables_are_complete_and_their_numbers_plausible() -> None:
    assert [half.number for half in TRANSFER] == [2, 3, 3, 4, 4, 6, 6, 7, 7, 8, 9]
    for half in TRANSFER:
        for row in half.rows:
            for metric, value in row.values.items():
                if value is not None:
                    assert 0 < value < (1 if "auc" in metric else 100), (half.number, row.model)
