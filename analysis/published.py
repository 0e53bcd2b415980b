"""Every number that the paper published (Dahiya, Spurr, Hilliges), as printed, never recomputed.

Distances are in centimetres, areas under the curve are fractions. None means a printed dash.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published result of a composition.

    Attributes:
        mpjpe_cm: Mean per-joint error (the paper's MPJE), cm.
        median_pje_cm: Median per-joint error, cm.
        reference: Its table in the paper.
    """

    mpjpe_cm: float
    median_pje_cm: float
    reference: str = "table 5"


def _table_5() -> dict[tuple[str, str], Published]:
    rows = {
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
    table = {}
    for label, (relative_mean, relative_median, mean, median) in rows.items():
        table["relative", label] = Published(mpjpe_cm=relative_mean, median_pje_cm=relative_median)
        table["contrastive", label] = Published(mpjpe_cm=mean, median_pje_cm=median)
    return table


COMPOSITIONS: MappingProxyType[tuple[str, str], Published] = MappingProxyType(_table_5())
"""(objective, composition label) to the published result, table 5 (table 1 is its best rows)."""

FIGURE_3: MappingProxyType[tuple[str, str], Published] = MappingProxyType(
    {key: value for key, value in COMPOSITIONS.items() if "+" not in key[1]}
)
"""Single augmentations. Figure 3 prints no numbers; table 5 gives four of its bars."""


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


def _rows(
    metrics: tuple[str, ...], *rows: tuple[str, str, tuple[float | None, ...]]
) -> tuple[TransferRow, ...]:
    return tuple(
        TransferRow(model=model, key=key, values=dict(zip(metrics, values, strict=True)))
        for model, key, values in rows
    )


_RAW = ("mpjpe_cm", "median_pje_cm", "auc_50cm")
_PA = ("pa_mpjpe_cm", "pa_median_pje_cm", "pa_auc_50cm")
_RAW_FH = ("mpjpe_cm", "auc_5cm")  # the contest's range; its median is not published
_PA_FH = ("pa_mpjpe_cm", "pa_auc_5cm")
_RA = ("ra_mpjpe_cm", "ra_auc_50cm")

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
    TransferTable(
        number=3, heading="Fit on FreiHAND, evaluated on InterHand2.6M",
        encoder="hrnet", fit="FH", evaluate="IH",
        rows=_rows(
            _PA,
            ("HRNet", "supervised", (3.2, 2.5, 0.938)),
            ("+ Contrastive", "unfrozen", (2.8, 2.1, 0.944)),
        ),
    ),
    TransferTable(
        number=3, heading="Fit on InterHand2.6M, evaluated on FreiHAND",
        encoder="hrnet", fit="IH", evaluate="FH",
        rows=_rows(
            _PA_FH,
            ("HRNet", "supervised", (2.51, 0.515)),
            ("+ Contrastive", "unfrozen", (2.34, 0.550)),
        ),
    ),
    TransferTable(
        number=4, heading="FreiHAND", encoder="hrnet", fit="FH", evaluate="FH",
        rows=_rows(
            _PA_FH,
            ("HRNet", "supervised", (1.08, 0.787)),
            ("+ Contrastive", "unfrozen", (0.95, 0.813)),
        ),
    ),
    TransferTable(
        number=4, heading="InterHand2.6M", encoder="hrnet", fit="IH", evaluate="IH",
        rows=_rows(
            _PA,
            ("HRNet", "supervised", (1.30, 0.60, 0.976)),
            ("+ Contrastive", "unfrozen", (1.30, 0.60, 0.976)),
        ),
    ),
    TransferTable(
        number=6, heading="Fit on FreiHAND, evaluated on InterHand2.6M",
        encoder="hrnet", fit="FH", evaluate="IH",
        rows=_rows(
            _RAW,
            ("HRNet", "supervised", (16.70, 12.10, 0.695)),
            ("+ Contrastive", "unfrozen", (15.00, 10.5, 0.738)),
        ),
    ),
    TransferTable(
        number=6, heading="Fit on InterHand2.6M, evaluated on FreiHAND",
        encoder="hrnet", fit="IH", evaluate="FH",
        rows=_rows(
            _RAW_FH,
            ("HRNet", "supervised", (56.62, 0.01)),
            ("+ Contrastive", "unfrozen", (54.39, 0.02)),
        ),
    ),
    TransferTable(
        number=7, heading="InterHand2.6M", encoder="hrnet", fit="IH", evaluate="IH",
        rows=_rows(
            _RAW,
            ("HRNet", "supervised", (5.40, 3.80, 0.890)),
            ("+ Contrastive", "unfrozen", (5.40, 3.50, 0.893)),
        ),
    ),
    TransferTable(
        number=7, heading="FreiHAND", encoder="hrnet", fit="FH", evaluate="FH",
        rows=_rows(
            _RAW_FH,
            ("HRNet", "supervised", (9.66, 0.22)),
            ("+ Contrastive", "unfrozen", (8.02, 0.25)),
        ),
    ),
    TransferTable(
        number=8, heading="", encoder="hrnet", fit="FH", evaluate="FH",
        rows=_rows(
            _PA_FH,
            ("Spurr et al. (2020)", "", (0.90, 0.82)),
            ("Kulon et al. (2020a)", "", (0.84, 0.83)),
            ("Li et al. (2020)", "", (0.80, 0.84)),
            ("Pose2Mesh (Choi et al., 2020)", "", (0.77, None)),
            ("I2L-MeshNet (Moon and Lee, 2020)", "", (0.74, None)),
            ("PeCLR, ResNet-50 (released after the paper)", "", (0.71, None)),
            ("PeCLR, ResNet-152 (released after the paper)", "", (0.66, None)),
            ("HRNet", "supervised", (1.08, 0.79)),
            ("+ Contrastive", "unfrozen", (0.95, 0.81)),
        ),
    ),
    TransferTable(
        number=9, heading="", encoder="hrnet", fit="IH", evaluate="IH",
        rows=_rows(
            _RA,
            ("Moon et al. (2020)", "", (1.26, None)),
            ("HRNet", "supervised", (1.50, 0.967)),
            ("+ Contrastive", "unfrozen", (1.40, 0.968)),
        ),
    ),
)  # fmt: skip
"""Tables 2 to 4 and 6 to 9, halves in the printed order."""
