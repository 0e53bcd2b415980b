"""Records arranged as the study's tables are: objectives across, compositions down.

A *setting* is one configuration with all its seeds. A *cell* is one objective and composition; a
sampled study tries many settings in a cell, and the cell speaks through the best of them. Where a
second stage ran the best again with fresh seeds, a cell speaks from those alone: the run that won
the first stage was chosen for its number, which is therefore too good.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.notation import (
    STUDY_ROWS,
    composition_tokens,
    is_assignment,
    is_subset,
    objective_title,
    objective_variant,
    sort_compositions,
    sort_variants,
)
from analysis.records import Record, Study
from analysis.statistics import Summary, summarise

RANKED_BY = "median_pje_cm"
"""The study ranks by the median: the mean has outliers from the root depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One configuration with its finished repeats, ordered by repeat."""

    records: tuple[Record, ...]

    def summary(self, metric: str) -> Summary | None:
        """Mean and standard deviation of a metric over the seeds."""
        return summarise([r.metrics[metric] for r in self.records if metric in r.metrics])

    @property
    def score(self) -> float:
        """Mean of the ranking metric over the seeds, cm; infinite where it is absent."""
        summary = self.summary(RANKED_BY)
        return float("inf") if summary is None else summary.mean

    @property
    def seeds(self) -> int:
        """Number of finished repeats."""
        return len(self.records)

    @property
    def first(self) -> Record:
        """The first repeat: it stands for the configuration."""
        return self.records[0]

    @property
    def confirmed(self) -> bool:
        """Whether it speaks from a second stage or from several seeds."""
        return self.seeds > 1 or self.first.stage > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One objective and composition of a study.

    Attributes:
        best: The setting that the cell speaks through, None where nothing has finished.
        settings: How many configurations have finished.
        failed, pruned: How many trials ended so.
    """

    best: Setting | None
    settings: int
    failed: int
    pruned: int

    @property
    def state(self) -> str:
        """``"finished"``, or why there is no number: ``"failed"``, ``"pruned"``, ``"not run"``."""
        if self.best is not None:
            return "finished"
        return "failed" if self.failed else "pruned" if self.pruned else "not run"


NOT_RUN = Cell(best=None, settings=0, failed=0, pruned=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One objective variant of one study.

    Attributes:
        study: The study.
        variant: The objective variant.
        title: A heading; names the study where two have a variant or differ in data or fidelity.
    """

    study: Study = field(repr=False)
    variant: str
    title: str

    @property
    def key(self) -> tuple[str, str]:
        """(study name, variant)."""
        return self.study.name, self.variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All cells of all studies.

    Attributes:
        columns: Objective variants, study by study.
        compositions: Row labels: the study's 15 first, in its order, whether run or not. A single
            augmentation of no composition is not among them: it belongs to figure 3.
        cells: (column key, label) to cell; absent where no trial was recorded.
    """

    columns: tuple[Column, ...]
    compositions: tuple[str, ...]
    cells: Mapping[tuple[tuple[str, str], str], Cell] = field(repr=False)

    def cell(self, column: Column, label: str) -> Cell:
        """The cell, `NOT_RUN` where no trial was recorded."""
        return self.cells.get((column.key, label), NOT_RUN)

    def finished(self, column: Column) -> dict[str, Setting]:
        """Label to best setting of a column, rows without a number left out."""
        cells = ((label, self.cell(column, label).best) for label in self.compositions)
        return {label: best for label, best in cells if best is not None and best.score < 1e30}

    def rows(self, column: Column) -> tuple[str, ...]:
        """A column's own rows: what it has tried, and the study's rows unless it assigns."""
        assigns = self.assigns(column)
        return tuple(
            label
            for label in self.compositions
            if (label in STUDY_ROWS and not assigns) or self.cell(column, label) is not NOT_RUN
        )

    @property
    def plain(self) -> tuple[Column, ...]:
        """The columns of compositions; the others assign."""
        return tuple(column for column in self.columns if not self.assigns(column))

    def assigns(self, column: Column) -> bool:
        """Whether all that it has tried assigns an objective to each augmentation."""
        tried = [label for key, label in self.cells if key == column.key]
        return bool(tried) and all(is_assignment(label) for label in tried)

    def competing(self, column: Column) -> dict[str, Setting]:
        """Label to best setting of those that may be called the best of a column.

        Where any was run again, in a second stage or with other seeds, only those compete: the
        best of many single runs is mostly the luckiest one.
        """
        finished = self.finished(column)
        again = {label: best for label, best in finished.items() if best.confirmed}
        return again or finished

    def best(self, column: Column) -> tuple[str, Setting] | None:
        """The composition with the lowest median error of those that compete."""
        candidates = self.competing(column)
        if not candidates:
            return None
        label = min(candidates, key=lambda name: candidates[name].score)
        return label, candidates[label]


def is_transfer(record: Record) -> bool:
    """Whether a record belongs to the transfer tables: its configuration has that part."""
    return record.is_transfer


def _rows(labels: Iterable[str]) -> list[str]:
    found = list(labels)
    composed = {token for label in found if "+" in label for token in composition_tokens(label)}
    return [label for label in found if "+" in label or not is_subset(label) or label in composed]


def _planned(study: Study, item: Mapping[str, Any]) -> str:
    """The variant that a planned trial will have, from the study's own configuration."""
    label = str(item.get("objective"))
    config = study.section("config")
    overrides = _part(_part(_part(config, "search"), "objectives"), label)
    options = {**_part(_part(_part(config, "trial"), "pretrain"), "objective"), **overrides}
    return objective_variant(label, options)


def _part(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, Mapping) else {}


def _cell(records: Sequence[Record]) -> Cell:
    finished = [record for record in records if record.status == "finished"]
    last = max((record.stage for record in finished), default=1)
    settings: dict[str, list[Record]] = defaultdict(list)
    for record in finished:
        if record.stage == last:
            settings[record.setting].append(record)
    candidates = [
        Setting(records=tuple(sorted(group, key=lambda r: (r.repeat, r.trial))))
        for group in settings.values()
    ]
    most = max((setting.seeds for setting in candidates), default=0)
    repeated = [setting for setting in candidates if most == 1 or setting.seeds > 1]
    return Cell(
        best=min(repeated, key=lambda setting: setting.score, default=None),
        settings=len({record.setting for record in finished}),
        failed=sum(record.status == "failed" for record in records),
        pruned=sum(record.status == "pruned" for record in records),
    )


def _columns(variants: Sequence[tuple[Study, str]]) -> tuple[Column, ...]:
    """Their headings name the study where a variant alone would not tell what stands below."""
    clear = len({variant for _, variant in variants}) == len(variants)
    named = not clear or len({study.family for study, _ in variants}) > 1
    return tuple(
        Column(
            study=study,
            variant=variant,
            title=objective_title(variant) + (f" · {study.name}" if named else ""),
        )
        for study, variant in variants
    )


def arrange(studies: Iterable[Study]) -> Grid:
    """Arranges the records of studies, transfer runs and runs without a composition left out."""
    found = tuple(studies)
    grouped: dict[tuple[tuple[str, str], str], list[Record]] = defaultdict(list)
    variants: list[tuple[Study, str]] = []
    for study in found:
        records = [r for r in study.records if r.label and not is_transfer(r)]
        missing = () if study.section("config").get("transfer") else study.missing
        planned = {_planned(study, item) for item in missing if item.get("composition")}
        own = sort_variants({record.variant for record in records} | planned)
        variants += [(study, variant) for variant in own]
        for record in records:
            grouped[(study.name, record.variant), record.label].append(record)
    return Grid(
        columns=_columns(variants),
        compositions=tuple(
            sort_compositions([*STUDY_ROWS, *_rows(label for _, label in grouped)])
        ),
        cells={key: _cell(records) for key, records in grouped.items()},
    )
