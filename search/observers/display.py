"""Progress of a study in the terminal: one line per trial that has ended, and a live status line.

A log file has the lines of the trials only.
"""

import math
import time
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handssl.records import Record
from search.config.metric import ENCODER_STEPS, SearchMetric


def duration(seconds: float) -> str:
    """A duration for people.

    Example:
        >>> duration(48.2), duration(750), duration(11_100)
        ('48 s', '12 min 30 s', '3 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def metric_label(metric: SearchMetric) -> str:
    """Short name of a metric.

    Example:
        >>> metric_label(SearchMetric(name="ra_median_pje_cm"))
        'ra_median'
    """
    return metric.name.removesuffix("_cm").removesuffix("_pct").removesuffix("_pje")


class Display:
    """Live progress of a study of `total` trials, some of which have ended with `records`.

    The metric of a finished trial is printed and ranks the trials. Rows of transfer tables are not
    ranked: they answer different questions.
    """

    def __init__(
        self, console: Console, *, total: int, records: Iterable[Record], metric: SearchMetric
    ) -> None:
        self._console = console
        self._metric = metric
        self._total = total
        self._best: Record | None = None
        self._baseline: Record | None = None
        self._ended = 0
        self._failed = 0
        for record in records:
            self._count(record)
        self._at_start = self._ended
        self._progress: dict[str, float] = {}
        self._start = time.monotonic()
        self._live = Live(
            console=console, refresh_per_second=2, transient=True, get_renderable=self._state
        )

    def __enter__(self) -> "Display":
        self._start = time.monotonic()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def baseline(self, record: Record) -> None:
        """Print the line of a baseline; the best one stands in the status line."""
        line = Text(_baseline_name(record))
        line.append(f"  {metric_label(self._metric)} {self._value(record)}")
        self._console.print(line, soft_wrap=True, style="dim")
        if self._cost(record) < self._cost(self._baseline):
            self._baseline = record

    def started(self, trial: str) -> None:
        """A trial starts or continues."""
        self._progress.setdefault(trial, 0.0)

    def reported(self, trial: str, share: float) -> None:
        """A trial has done this share of its epochs."""
        self._progress[trial] = share

    def ended(self, record: Record, seconds: float) -> None:
        """Print the line of a trial that has ended."""
        self._progress.pop(record.trial, None)
        previous = self._best
        self._count(record)
        line = Text(f"[{self._ended:>{len(str(self._total))}}/{self._total}] ")
        line.append(f"{record.objective:<12} {record.composition:<12}")
        line.append(_transfer(record))
        if record.status == "finished":
            line.append(f" {metric_label(self._metric)} {self._value(record):>10}")
            if self._best is not previous:
                line.append("  best so far", style="green")
        elif record.status == "failed":
            line.append(f" failed: {record.error.message if record.error else ''}", style="red")
        else:
            line.append(" pruned")
        line.append(f"  {duration(seconds)}")
        if not self._console.is_terminal:
            line.append(f"  ({self._remaining()} left)")
        self._console.print(line, soft_wrap=True)

    def _count(self, record: Record) -> None:
        self._ended += 1
        self._failed += record.status == "failed"
        ranked = record.is_finished and not record.is_transfer
        if ranked and self._cost(record) < self._cost(self._best):
            self._best = record

    def _cost(self, record: Record | None) -> float:
        """Smaller is better; a missing value is the worst."""
        value = None if record is None else self._metric.of(record)
        return math.inf if value is None else self._metric.cost(value)

    def _value(self, record: Record) -> str:
        """The metric of a finished trial, with its unit."""
        value = self._metric.of(record)
        if value is None:
            return "not finite"
        if self._metric.name == ENCODER_STEPS:
            return f"{value:.0f}"
        for suffix, unit in (("_cm", "cm"), ("_pct", "%")):
            if self._metric.name.endswith(suffix) and "pck" not in self._metric.name:
                return f"{value:.2f} {unit}"
        return f"{value:.4f}"

    def _remaining(self) -> str:
        """Estimated remaining time, from the rate of this session with its running trials."""
        worked = self._ended - self._at_start + sum(self._progress.values())
        remaining = self._total - self._at_start - worked
        if worked < 0.05:
            return "…"
        return duration((time.monotonic() - self._start) / worked * remaining)

    def _state(self) -> Table:
        table = Table.grid(padding=(0, 2))
        waiting = self._total - self._ended - len(self._progress)
        state = f"{self._ended} done · {len(self._progress)} running · {waiting} to go"
        if self._failed:
            state += f" · {self._failed} failed"
        best = ""
        if self._best is not None:
            value = self._value(self._best)
            best = f"best {self._best.objective} {self._best.composition} {value}"
        if self._baseline is not None:
            best += f"  {_baseline_name(self._baseline)} {self._value(self._baseline)}"
        table.add_row(Text(state, style="bold"), best, f"{self._remaining()} left")
        return table


def _baseline_name(record: Record) -> str:
    return f"baseline {record.objective.replace('_', ' ')} {record.composition}".rstrip()


def _transfer(record: Record) -> str:
    """Mode, data sets and share of labels of a row of the transfer tables; empty elsewhere."""
    part = record.transfer
    if not part:
        return ""
    if record.kind == "pretrain":
        return f" pretrain on {part['pretrain']}, {record.config['encoder']['name']}"
    tested = "+".join(part["evaluate"])
    return f" {part['mode']:<10} {part['fit']}→{tested}, {part['label_fraction']:.0%} of labels"
