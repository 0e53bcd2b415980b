"""The tables (`compositions`, …), their `model`, and `render`, which writes them."""

from analysis.tables.compositions import ablation_table, best_table, composition_tables
from analysis.tables.contribution import interaction_table, link_table, shapley_table
from analysis.tables.latex import to_latex
from analysis.tables.lowshot import low_shot_table, margin_table
from analysis.tables.model import Column, Entry, Section, Table
from analysis.tables.ranking import (
    agreement_table,
    difference_table,
    ranking_table,
    verdict_table,
)
from analysis.tables.render import to_console, to_csv, to_markdown, write_table
from analysis.tables.search import coverage_table, efficiency_table, importance_table
from analysis.tables.transfer import transfer_tables

__all__ = [
    "Column", "Entry", "Section", "Table", "ablation_table", "agreement_table", "best_table",
    "composition_tables", "coverage_table", "difference_table", "efficiency_table",
    "importance_table", "interaction_table", "link_table", "low_shot_table", "margin_table",
    "ranking_table", "shapley_table", "to_console", "to_csv", "to_latex", "to_markdown",
    "transfer_tables", "verdict_table", "write_table",
]  # fmt: skip
