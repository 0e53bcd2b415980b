"""Records arranged as in the paper's tables: objectives across, compositions down.

A *setting* is one configuration with all its seeds. A *cell* is one objective and composition of a
study. A cell reports its best setting. After a second stage only its seeds count, because the
winner of the first stage is biased by selection.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.notation import (
    OBJECTIVE_DEFAULTS,
    PAPER_ROWS,
    composition_tokens,
    is_assignment,
    is_subset,
    objective_base,
    objective_title,
    objective_variant,
    sort_compositions,
    sort_variants,
)
from analysis.published import COMPOSITIONS, Published
from analysis.records import Metric, Record, Study
from analysis.statistics import Summary, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One configuration with its finished repeats, ordered by repeat."""

    records: tuple[Record, ...]

    @property
    def errors_cm(self) -> list[float]:
        """The ranking metric of every seed that has it."""
        return [score for r in self.records if (score := r.score) is not None]

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return self.first.metric

    def summary(self, metric: str) -> Summary | None:
        """Mean and standard deviation of a metric over the seeds."""
        return summarise([r.metrics[metric] for r in self.records if metric in r.metrics])

    @property
    def score(self) -> float:
        """Mean of the ranking metric over the seeds; infinite where it is absent."""
        summary = self.summary(self.metric.name)
        return float("inf") if summary is None else summary.mean

    @property
    def seeds(self) -> int:
        """Number of finished repeats."""
        return len(self.records)

    @property
    def first(self) -> Record:
        """The first repeat, which represents the configuration."""
        return self.records[0]

    @property
    def confirmed(self) -> bool:
        """Whether its error comes from a second stage or from several seeds."""
        return self.seeds > 1 or self.first.stage > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One objective and composition of a study.

    Attributes:
        best: The selected setting, None where nothing has finished.
        settings: Number of finished configurations.
        failed, pruned: Number of such trials.
    """

    best: Setting | None = None
    settings: int = 0
    failed: int = 0
    pruned: int = 0

    def summary(self, metric: str) -> Summary | None:
        """Mean and standard deviation of a metric of the selected setting."""
        return self.best.summary(metric) if self.best else None

    @property
    def state(self) -> str:
        """`"finished"`, or why there is no number: `"failed"`, `"pruned"`, `"not run"`."""
        if self.best is not None:
            return "finished"
        return "failed" if self.failed else "pruned" if self.pruned else "not run"


NOT_RUN = Cell()


@dataclass(frozen=True, slots=True, kw_only=True)
class GridColumn:
    """One objective variant of one study.

    Attributes:
        study: The study.
        variant: The objective variant.
        title: A heading; it includes the study's name where the variant alone is ambiguous.
        position: Its index in the grid, which gives its colour.
    """

    study: Study = field(repr=False)
    variant: str
    title: str
    position: int

    @property
    def key(self) -> tuple[str, str]:
        """(study name, variant)."""
        return self.study.name, self.variant

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return self.study.metric

    @property
    def base(self) -> str:
        """The objective without the options that change its meaning."""
        return objective_base(self.variant)

    @property
    def published(self) -> Mapping[str, Published]:
        """Label to the paper's result of a composition, empty for an unpublished objective."""
        return COMPOSITIONS.get(self.base, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All cells of all studies.

    Attributes:
        columns: Objective variants, study by study.
        compositions: Row labels: the paper's 15 first, in its order, run or not. A single
            augmentation outside every composition is left to figure 3.
        cells: (column key, label) to cell; absent where no trial was recorded.
    """

    columns: tuple[GridColumn, ...]
    compositions: tuple[str, ...]
    cells: Mapping[tuple[tuple[str, str], str], Cell] = field(repr=False)

    def cell(self, column: GridColumn, label: str) -> Cell:
        """The cell, `NOT_RUN` where no trial was recorded."""
        return self.cells.get((column.key, label), NOT_RUN)

    def finished(self, column: GridColumn) -> dict[str, Setting]:
        """Label to best setting of a column, for the rows that have a number."""
        cells = ((label, self.cell(column, label).best) for label in self.compositions)
        return {label: best for label, best in cells if best is not None and best.score < 1e30}

    def rows(self, column: GridColumn) -> tuple[str, ...]:
        """Rows of a column: all that it tried, and the paper's rows unless it assigns."""
        assigns = self.assigns(column)
        return tuple(
            label
            for label in self.compositions
            if (label in PAPER_ROWS and not assigns) or self.cell(column, label) is not NOT_RUN
        )

    @property
    def plain(self) -> tuple[GridColumn, ...]:
        """The columns of plain compositions, without assigned objectives."""
        return tuple(column for column in self.columns if not self.assigns(column))

    def assigns(self, column: GridColumn) -> bool:
        """Whether every label of a column assigns an objective to each augmentation."""
        tried = [label for key, label in self.cells if key == column.key]
        return bool(tried) and all(is_assignment(label) for label in tried)

    def candidates(self, column: GridColumn) -> dict[str, Setting]:
        """Label to best setting of the candidates for the best composition of a column.

        These are the repeated compositions (by a second stage or other seeds) where there are any,
        because the best of many single runs is mostly the luckiest one.
        """
        finished = self.finished(column)
        confirmed = {label: best for label, best in finished.items() if best.confirmed}
        return confirmed or finished

    def best(self, column: GridColumn) -> tuple[str, Setting] | None:
        """The candidate with the lowest error."""
        candidates = self.candidates(column)
        if not candidates:
            return None
        label = min(candidates, key=lambda name: candidates[name].score)
        return label, candidates[label]


def config_section(study: Study, *path: str) -> Mapping[str, Any]:
    """A part of a study's configuration, empty where it is absent.

    Every read of the configuration goes through this function, and none reads a key that differs
    between the published studies and today's schema.
    """
    section: Any = study.section("config")
    for key in path:
        section = section.get(key) if isinstance(section, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _rows(labels: Iterable[str]) -> list[str]:
    labels = list(labels)
    composed = {token for label in labels if "+" in label for token in composition_tokens(label)}
    return [label for label in labels if "+" in label or not is_subset(label) or label in composed]


def _planned(study: Study, item: Mapping[str, Any]) -> str:
    """The variant that a planned trial will have, from the study's configuration."""
    label = str(item.get("objective"))
    base = config_section(study, "trial", "pretrain", "objective")
    overrides = config_section(study, "search", "objectives", label)
    return objective_variant(label, {**OBJECTIVE_DEFAULTS, **base, **overrides})


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
    max_seeds = max((setting.seeds for setting in candidates), default=0)
    repeated = [setting for setting in candidates if max_seeds == 1 or setting.seeds > 1]
    return Cell(
        best=min(repeated, key=lambda setting: setting.score, default=None),
        settings=len({record.setting for record in finished}),
        failed=sum(record.status == "failed" for record in records),
        pruned=sum(record.status == "pruned" for record in records),
    )


def _columns(variants: Sequence[tuple[Study, str]]) -> tuple[GridColumn, ...]:
    """Columns whose titles name the study where the variants alone are ambiguous."""
    unique = len({variant for _, variant in variants}) == len(variants)
    named = not unique or len({study.comparable_key for study, _ in variants}) > 1
    return tuple(
        GridColumn(
            study=study,
            variant=variant,
            title=objective_title(variant) + (f" · {study.name}" if named else ""),
            position=position,
        )
        for position, (study, variant) in enumerate(variants)
    )


def arrange(studies: Iterable[Study]) -> Grid:
    """Arrange the records of studies, without transfer runs and runs without a composition."""
    grouped: dict[tuple[tuple[str, str], str], list[Record]] = defaultdict(list)
    variants: list[tuple[Study, str]] = []
    for study in studies:
        records = [r for r in study.records if r.label and not r.is_transfer]
        missing = () if config_section(study, "transfer") else study.missing
        planned = {_planned(study, item) for item in missing if item.get("composition")}
        present = sort_variants({record.variant for record in records} | planned)
        variants += [(study, variant) for variant in present]
        for record in records:
            grouped[(study.name, record.variant), record.label].append(record)
    return Grid(
        columns=_columns(variants),
        compositions=tuple(
            sort_compositions([*PAPER_ROWS, *_rows(label for _, label in grouped)])
        ),
        cells={key: _cell(records) for key, records in grouped.items()},
    )
