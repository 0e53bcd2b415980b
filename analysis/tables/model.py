"""A table: columns with units, sections of rows, a caption. `render` writes it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from analysis.statistics import Interval, Summary
from handssl.errors import ConfigError

ONE_SEED = "†"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        name: Heading.
        group: Heading over neighbouring columns of the same group, "" for none.
        unit: Unit, printed in brackets.
        better: `"↓"`, `"↑"` or "".
        numeric: Whether it is aligned and sorted as numbers.
    """

    name: str
    group: str = ""
    unit: str = ""
    better: str = ""
    numeric: bool = True

    @property
    def heading(self) -> str:
        """Name, unit and direction, as in `"MPJE (cm) ↓"`."""
        return " ".join(filter(None, (self.name, self.unit and f"({self.unit})", self.better)))

    @property
    def full_heading(self) -> str:
        """The heading with its group."""
        return f"{self.group}: {self.heading}" if self.group else self.heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cell.

    Attributes:
        text: Printed text.
        value: Its number, for sorting and CSV.
        sd, n: Standard deviation over seeds and number of seeds, where the value is a mean.
        high: Upper end of a range, where the value is the lower end.
        best: Whether it is the best of its column.
        absent: Whether the text replaces a number.
    """

    text: str
    value: float | None = None
    sd: float | None = None
    n: int | None = None
    high: float | None = None
    best: bool = False
    absent: bool = False


UNKNOWN = Entry(text="n/a", absent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under one heading ("" for none)."""

    title: str = ""
    rows: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        key: File name without suffix, LaTeX label.
        title: One line.
        columns: Columns; every row has one entry for each.
        sections: Rows in their sections.
        caption: Data, n, seeds, fidelity, meaning of the marks.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    caption: str

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ConfigError(
                    f"rows of table {self.key} must have {len(self.columns)} entries, "
                    f"but got {len(row)}"
                )

    @property
    def rows(self) -> tuple[tuple[Entry, ...], ...]:
        """All rows, sections joined."""
        return tuple(row for section in self.sections for row in section.rows)

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Headings over neighbouring columns with their widths."""
        runs = groupby(self.columns, key=lambda column: column.group)
        return tuple((title, len(list(members))) for title, members in runs)


_HEADING = re.compile(r"(\*?)(.+?)(?: \(([^()]+)\))?(?: ([↓↑]))?")  # mark, name, unit, better


def columns(*headings: str, group: str = "") -> tuple[Column, ...]:
    """Columns from their headings as printed; a column of texts has a star before its name.

    Example:
        >>> [column.unit for column in columns("*Model", "error (cm) ↓", "P(best)")]
        ['', 'cm', '']
    """
    parts = [match.groups("") for heading in headings if (match := _HEADING.fullmatch(heading))]
    return tuple(
        Column(name=name, group=group, unit=unit, better=better, numeric=not text)
        for text, name, unit, better in parts
    )


def section(rows: Iterable[Sequence[Entry]], title: str = "") -> Section:
    """Rows under one heading ("" for none)."""
    return Section(title=title, rows=tuple(map(tuple, rows)))


def number(value: float | None, digits: int = 2, *, absent: str = "–") -> Entry:
    """A plain number."""
    if value is None:
        return Entry(text=absent, absent=True)
    return Entry(text=f"{value:.{digits}f}", value=value)


def texts(*names: str) -> tuple[Entry, ...]:
    """Texts side by side."""
    return tuple(Entry(text=name) for name in names)


def result(summary: Summary | None, state: str, digits: int = 2, *, best: bool = False) -> Entry:
    """A mean over seeds as `12.05 ± 0.31`; one seed is marked; without a number, the state."""
    if summary is None:
        return Entry(text=state if state != "finished" else "not recorded", absent=True)
    spread = ONE_SEED if summary.sd is None else f" ± {summary.sd:.{digits}f}"
    return Entry(
        text=f"{summary.mean:.{digits}f}{spread}",
        value=summary.mean,
        sd=summary.sd,
        n=summary.n,
        best=best,
    )


def signed(value: float | None, digits: int = 2, *, absent: str = "n/a") -> Entry:
    """A number with its sign, as in a difference."""
    if value is None:
        return Entry(text=absent, absent=True)
    return Entry(text=f"{value:+.{digits}f}".replace("-", "−"), value=value)


def span(interval: Interval | None, digits: int = 2) -> Entry:
    """An interval as `[1.20, 1.45]`; it sorts by its lower end."""
    if interval is None:
        return UNKNOWN
    text = f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]".replace("-", "−")
    return Entry(text=text, value=interval.low, high=interval.high)


def p_value(p: float | None) -> Entry:
    """A p-value to three digits, below 0.001 as a bound."""
    if p is None:
        return UNKNOWN
    return Entry(text="<0.001" if p < 0.001 else f"{p:.3f}", value=p)
