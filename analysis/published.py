"""Every number that the paper published (Dahiya, Spurr, Hilliges), as printed, never recomputed.

Distances are in centimetres, areas under the curve are fractions. None means a printed dash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published result of a composition.

    Attributes:
        mpjpe_cm: Mean per-joint error (the paper's MPJE), cm.
        median_pje_cm: Median per-joint error, cm.
    """

    mpjpe_cm: float
    median_pje_cm: float


_TABLE_5 = {  # relative mean and median, contrastive mean and median
    "CJ": (90.54, 81.21, 63.81, 25.18),
    "CJ+S": (336.11, 69.67, 24.52, 13.05),
    "CJ+S+Ro": (95.51, 89.30, 54.18, 26.86),
    "CJ+Ro": (108.10, 98.82, 82.12, 46.11),
    "S": (101.83, 79.55, 32.81, 15.94),
    "S+Ro": (106.51, 99.71, 72.72, 50.59),
    "Ro": (115.47, 106.21, 73.01, 54.21),
    "T": (58.92, 36.60, 52.38, 21.02),
    "T+CJ": (65.80, 33.00, 31.85, 14.86),
    "T+CJ+S": (56.50, 23.39, 26.16, 12.05),
    "T+CJ+S+Ro": (49.96, 31.37, 50.04, 24.96),
    "T+CJ+Ro": (55.43, 41.62, 66.59, 34.76),
    "T+S": (64.11, 23.31, 30.79, 14.67),
    "T+S+Ro": (53.89, 34.26, 75.79, 54.42),
    "T+Ro": (63.78, 51.33, 70.70, 52.85),
}

COMPOSITIONS: Mapping[str, Mapping[str, Published]] = {
    objective: {
        label: Published(mpjpe_cm=row[first], median_pje_cm=row[first + 1])
        for label, row in _TABLE_5.items()
    }
    for objective, first in (("relative", 0), ("contrastive", 2))
}
"""Objective to composition label to the published result of table 5.

Table 1 is its best rows. Figure 3 prints no numbers; its single rows give four of the bars.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """One row of tables 2 to 4 and 6 to 9.

    Attributes:
        model: The row's name as printed.
        key: Key of our matching runs: `supervised`, `frozen`, `unfrozen`, or "" for the published
            number of another system.
        values: Metric name to the printed value, None for a dash.
    """

    model: str
    key: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTable:
    """One half of a printed table: fitted on one data set, evaluated on one.

    Attributes:
        number: The table's number in the paper.
        heading: The half's heading as printed, "" where the table has only one part.
        encoder, fit, evaluate: Must match our runs: `resnet` or `hrnet`, `FH`, `IH`.
        rows: The rows in the printed order.
    """

    number: int
    heading: str
    encoder: str
    fit: str
    evaluate: str
    rows: tuple[TransferRow, ...]


_RAW = ("mpjpe_cm", "median_pje_cm", "auc_50cm")
_PA = ("pa_mpjpe_cm", "pa_median_pje_cm", "pa_auc_50cm")
_RAW_FH = ("mpjpe_cm", "auc_5cm")  # the contest's range; its median is not published
_PA_FH = ("pa_mpjpe_cm", "pa_auc_5cm")
_RA = ("ra_mpjpe_cm", "ra_auc_50cm")

_Values = tuple[float | None, ...]


def _rows(metrics: tuple[str, ...], *rows: tuple[str, str, _Values]) -> tuple[TransferRow, ...]:
    return tuple(
        TransferRow(model=model, key=key, values=dict(zip(metrics, values, strict=True)))
        for model, key, values in rows
    )


def _hrnet(
    table: tuple[int, str], sets: str, metrics: tuple[str, ...], ours: Sequence[_Values],
    others: Mapping[str, _Values] = MappingProxyType({}),
) -> TransferTable:  # fmt: skip
    """HRNet, supervised and after contrastive pretraining; above it other systems."""
    number, heading = table
    fit, evaluate = sets.split()
    rows = _rows(
        metrics,
        *((model, "", values) for model, values in others.items()),
        ("HRNet", "supervised", ours[0]),
        ("+ Contrastive", "unfrozen", ours[1]),
    )
    return TransferTable(
        number=number, heading=heading, encoder="hrnet", fit=fit, evaluate=evaluate, rows=rows
    )


_FH, _IH = "FreiHAND", "InterHand2.6M"
_FH_IH, _IH_FH = f"Fit on {_FH}, evaluated on {_IH}", f"Fit on {_IH}, evaluated on {_FH}"

TRANSFER: tuple[TransferTable, ...] = (
    TransferTable(
        number=2, heading="", encoder="resnet", fit="FH", evaluate="IH",
        rows=_rows(
            _RAW,
            ("ResNet-18", "supervised", (15.5, 11.5, 0.718)),
            ("+ Contrastive (frozen)", "frozen", (51.8, 47.9, 0.128)),
            ("+ Contrastive (unfrozen)", "unfrozen", (28.6, 26.4, 0.459)),
        ),
    ),
    _hrnet((3, _FH_IH), "FH IH", _PA, [(3.2, 2.5, 0.938), (2.8, 2.1, 0.944)]),
    _hrnet((3, _IH_FH), "IH FH", _PA_FH, [(2.51, 0.515), (2.34, 0.550)]),
    _hrnet((4, _FH), "FH FH", _PA_FH, [(1.08, 0.787), (0.95, 0.813)]),
    _hrnet((4, _IH), "IH IH", _PA, [(1.30, 0.60, 0.976), (1.30, 0.60, 0.976)]),
    _hrnet((6, _FH_IH), "FH IH", _RAW, [(16.70, 12.10, 0.695), (15.00, 10.5, 0.738)]),
    _hrnet((6, _IH_FH), "IH FH", _RAW_FH, [(56.62, 0.01), (54.39, 0.02)]),
    _hrnet((7, _IH), "IH IH", _RAW, [(5.40, 3.80, 0.890), (5.40, 3.50, 0.893)]),
    _hrnet((7, _FH), "FH FH", _RAW_FH, [(9.66, 0.22), (8.02, 0.25)]),
    _hrnet(
        (8, ""), "FH FH", _PA_FH, [(1.08, 0.79), (0.95, 0.81)],
        {
            "Spurr et al. (2020)": (0.90, 0.82),
            "Kulon et al. (2020a)": (0.84, 0.83),
            "Li et al. (2020)": (0.80, 0.84),
            "Pose2Mesh (Choi et al., 2020)": (0.77, None),
            "I2L-MeshNet (Moon and Lee, 2020)": (0.74, None),
            "PeCLR, ResNet-50 (released after the paper)": (0.71, None),
            "PeCLR, ResNet-152 (released after the paper)": (0.66, None),
        },
    ),
    _hrnet(
        (9, ""), "IH IH", _RA, [(1.50, 0.967), (1.40, 0.968)], {"Moon et al. (2020)": (1.26, None)}
    ),
)  # fmt: skip
"""Tables 2 to 4 and 6 to 9, halves in the printed order."""
