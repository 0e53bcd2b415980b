"""The table of pose metrics that commands print."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def print_scores(console: Console, metrics: Mapping[str, float], *, title: str = "") -> None:
    """Print `pose_metrics` with a column for each alignment."""
    table = Table("metric", "unaligned", "root-aligned", "Procrustes-aligned", title=title or None)
    for name in ("mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm"):
        table.add_row(name, *(f"{metrics[prefix + name]:.4f}" for prefix in ("", "ra_", "pa_")))
    console.print(table)
