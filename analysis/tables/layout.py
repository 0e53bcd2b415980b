"""How the columns of a table are set side by side where a line is shorter than the table."""

from collections.abc import Sequence

from analysis.tables.model import Table


def cell_width(table: Table, index: int) -> int:
    """Characters of the widest entry of a column."""
    return max((len(row[index].text) for row in table.rows), default=0)


def panels(table: Table, width: int, headings: Sequence[int]) -> list[list[int]]:
    """Indices of the columns side by side: all, or the first with as many groups as there is room.

    Args:
        table: The table.
        width: Characters on a line.
        headings: Width of each column's heading.
    """
    widths = [2 + max(cell_width(table, i), wide) for i, wide in enumerate(headings)]
    groups = [
        [i for i in range(1, len(widths)) if table.columns[i].group == group]
        for group in dict.fromkeys(column.group for column in table.columns[1:])
    ]
    found = [[0]]
    for members in groups:
        room = sum(widths[i] for i in [*found[-1], *members]) <= width
        if room or found[-1] == [0]:
            found[-1] += members
        else:
            found.append([0, *members])
    return found
