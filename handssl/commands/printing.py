"""What commands print: lines, epochs, tables of metrics."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from handssl.training import EpochReport


def print_lines(console: Console, *lines: str, style: str | None = None) -> None:
    """Print text as it is: names of files are neither wrapped nor taken for markup."""
    for line in lines:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_epochs(console: Console, run: Iterable[EpochReport], epochs: int) -> None:
    """Train to the end, with a line for each of so many epochs."""
    for report in run:
        console.print(
            f"epoch {report.epoch} of {epochs}: loss {report.loss:.4f}, "
            f"{report.images_per_s:.0f} images/s",
            highlight=False,
        )


def print_scores(console: Console, metrics: Mapping[str, float], *, title: str = "") -> None:
    """Print `pose_metrics` with a column for each alignment."""
    table = Table("metric", "unaligned", "root-aligned", "Procrustes-aligned", title=title or None)
    for name in ("mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm"):
        table.add_row(name, *(f"{metrics[prefix + name]:.4f}" for prefix in ("", "ra_", "pa_")))
    console.print(table)
