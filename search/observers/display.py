"""What the terminal shows while a study runs: one line a trial, and below them the state of all.

On a terminal the last line is live; in a log file only the lines of ended trials remain.
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
    """Seconds as a person says them: "48 s", "12 min 30 s", "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Display:
    """Live progress of a study.

    Args:
        console: Where to print.
        total: Trials of the study, ended ones included.
        done: Records that exist already.
        metric: What is shown of a finished trial, and what the best one has the best of.
        compares: Whether their values can be compared, so that one is the best.
    """

    def __init__(
        self,
        console: Console,
        *,
        total: int,
        done: Iterable[Record],
        metric: SearchMetric,
        compares: bool = True,
    ) -> None:
        self._console = console
        self._metric = metric
        self._total = total
        self._best: Record | None = None
        self._compares = compares
        self._ended = 0
        self._failed = 0
        for record in done:
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

    def started(self, trial: str) -> None:
        """A trial runs, from its beginning or from its checkpoint."""
        self._progress.setdefault(trial, 0.0)

    def reported(self, trial: str, share: float) -> None:
        """A trial has done this share of its work."""
        self._progress[trial] = share

    def ended(self, record: Record, seconds: float) -> None:
        """A trial has its record: print its line."""
        self._progress.pop(record.trial, None)
        previous = self._best
        self._count(record)
        line = Text(f"[{self._ended:>{len(str(self._total))}}/{self._total}] ")
        line.append(f"{record.objective:<12} {record.composition:<12}")
        line.append(_transfer(record))
        if record.status == "finished":
            line.append(f" {_label(self._metric)} {self._value(record):>10}")
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
        if (record.status == "finished" and self._compares) and (
            self._cost(record) < self._cost(self._best)
        ):
            self._best = record

    def _cost(self, record: Record | None) -> float:
        """Less is better; no result is better than none."""
        value = None if record is None else self._metric.of(record)
        return math.inf if value is None else self._metric.cost(value)

    def _value(self, record: Record) -> str:
        """The metric of a finished trial with its unit."""
        value = self._metric.of(record)
        if value is None:
            return "not finite"
        if self._metric.name == ENCODER_STEPS:
            return f"{value:.0f}"
        return f"{value:.2f} cm" if self._metric.name.endswith("_cm") else f"{value:.4f}"

    def _remaining(self) -> str:
        """Time left, from the rate of this run so far; trials under way count by their epochs."""
        worked = self._ended - self._at_start + sum(self._progress.values())
        left = self._total - self._at_start - worked
        if worked < 0.05:
            return "…"
        return duration((time.monotonic() - self._start) / worked * left)

    def _state(self) -> Table:
        table = Table.grid(padding=(0, 2))
        waiting = self._total - self._ended - len(self._progress)
        state = f"{self._ended} done · {len(self._progress)} running · {waiting} to go"
        if self._failed:
            state += f" · {self._failed} failed"
        best = "no result yet" if self._compares else ""
        if self._best is not None:
            value = self._value(self._best)
            best = f"best {self._best.objective} {self._best.composition} {value}"
        table.add_row(Text(state, style="bold"), best, f"{self._remaining()} left")
        return table


def _label(metric: SearchMetric) -> str:
    """A metric's name as a line has room for it: "median", "pa_mpjpe", "auc_5cm"."""
    return metric.name.removesuffix("_cm").removesuffix("_pje")


def _transfer(record: Record) -> str:
    """Of a row of the transfer tables: what was done, on which data, with how many labels."""
    part = record.transfer
    if not part:
        return ""
    if record.kind == "pretrain":
        return f" pretrain on {part['pretrain']}, {record.config['encoder']['name']}"
    tested = "+".join(part["evaluate"])
    return f" {part['mode']:<10} {part['fit']}→{tested}, {part['label_fraction']:.0%} of labels"
