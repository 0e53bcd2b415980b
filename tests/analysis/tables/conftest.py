"""A small table that has everything a table can have."""

import pytest

from analysis.statistics import summarise
from analysis.tables import Column, Entry, Section, Table
from analysis.tables.model import number, result


@pytest.fixture
def table() -> Table:
    repeated, single = summarise([1.0, 3.0]), summarise([5.0])
    return Table(
        key="demo",
        title="A_title & more",
        columns=(
            Column(name="Name", numeric=False),
            Column(name="error", group="Ours", unit="cm", better="↓"),
            Column(name="error", group="Published", unit="cm"),
        ),
        sections=(
            Section(title="First half", rows=(
                (Entry(text="a|b"), result(repeated, "finished", best=True), number(4.5)),
            )),
            Section(title="Second half", rows=(
                (Entry(text="100%"), result(single, "finished"), number(None)),
                (Entry(text="x"), result(None, "failed"), number(2.25)),
            )),
        ),
        caption="n = 3 ± τ",
    )  # fmt: skip
