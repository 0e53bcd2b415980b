"""Our runs of the cross-dataset and supervised experiments (tables 2 to 4 and 6 to 9).

A record of such a run has a part `transfer`: `{"pretrain": "FH+IH", "fit": "FH",
"evaluate": ["IH"], "mode": "supervised|frozen|unfrozen", "label_fraction": 1.0, "layer_decay":
1.0}`. A run that was evaluated on several data sets has the metrics of each in `evaluations`, and
those of the first in `metrics`. A pretraining that several runs share has mode `pretrain` and no
row.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.grid import Setting
from analysis.notation import objective_base, objective_title
from analysis.records import Record, Study, setting_of

BASELINES = ("random", "imagenet")
"""Initial weights of the baselines: runs without a pretraining of ours."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TransferKey:
    """The half of a table that a run belongs to: `resnet`, `FH`, `IH`."""

    encoder: str
    fit: str
    evaluate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One row of our results.

    Attributes:
        key: `supervised`, `frozen` or `unfrozen` where the paper has such a row, else the
            objective with the mode, as in `relative:frozen`.
        title: Name of the row where the paper has none.
        setting: The runs.
        study: Their study.
    """

    key: str
    title: str
    setting: Setting
    study: Study


def _data_set(name: object) -> str:
    text = str(name).lower().replace("-", "").replace("_", "")
    for short, long in (("fh", "freihand"), ("ih", "interhand")):
        if text.startswith((short, long)):
            return short.upper()
    return str(name)


def encoder_name(config: Mapping[str, object]) -> str:
    """The encoder's name in a run's configuration."""
    encoder = config.get("encoder")
    return str(encoder.get("name") if isinstance(encoder, Mapping) else encoder)


def _encoder(config: Mapping[str, object]) -> str:
    text = encoder_name(config).lower()
    return next((known for known in ("resnet", "hrnet") if text.startswith(known)), text)


def row_of(record: Record) -> tuple[str, str]:
    """Key and title of the row that a run belongs to."""
    part = record.transfer
    mode = str(part.get("mode") or "frozen")
    base = objective_base(record.variant)
    if "supervised" in (base, mode):
        return "supervised", "Supervised"
    decay = float(part.get("layer_decay") or 1.0)
    mode = mode if decay == 1 else f"{mode}, layer decay {decay:g}"
    if base in BASELINES:
        return f"{base}:{mode}", f"{objective_title(base)} ({mode})"
    if base == "contrastive":
        return mode, f"+ Contrastive ({mode})"
    return f"{record.variant}:{mode}", f"+ {objective_title(record.variant)} ({mode})"


def fraction_of(record: Record) -> float:
    """Share of the labels that a run was fitted with."""
    return float(record.transfer.get("label_fraction") or 1.0)


def evaluated(record: Record) -> list[tuple[TransferKey, Record]]:
    """One copy of a run for each data set that it was evaluated on.

    The copies keep one evaluation only, so runs that differ in the others have equal settings.
    """
    part: Mapping[str, Any] = record.transfer
    if record.status != "finished" or record.kind == "pretrain":
        return []
    names = part.get("evaluate")
    copies = []
    for number, name in enumerate(names if isinstance(names, list) else [names]):
        transfer = {**part, "evaluate": name}
        copy = replace(
            record,
            transfer=transfer,
            setting=setting_of(record.config, transfer, record.setting),
            metrics=record.evaluations.get(str(name), {} if number else record.metrics),
            errors=f"errors-{name}.npz" if number else record.errors,
        )
        key = TransferKey(
            encoder=_encoder(record.config),
            fit=_data_set(part.get("fit")),
            evaluate=_data_set(name),
        )
        copies.append((key, copy))
    return copies


def settings_of(
    study: Study, metric: str = ""
) -> dict[tuple[TransferKey, str, str, float], list[Setting]]:
    """The runs of a study that have a metric, repeats grouped, in order of repeat.

    The keys are the half of a table, key and title of the row, and the share of the labels.
    """
    groups: dict[tuple[TransferKey, str, str, float], dict[str, list[Record]]] = defaultdict(dict)
    for record in (r for r in study.records if r.is_transfer):
        for key, run in evaluated(record):
            if not metric or metric in run.metrics:
                cell = groups[key, *row_of(run), fraction_of(run)]
                cell.setdefault(run.setting, []).append(run)
    return {
        cell: [
            Setting(records=tuple(sorted(runs, key=lambda run: run.repeat)))
            for runs in settings.values()
        ]
        for cell, settings in groups.items()
    }


def measured_rows(studies: Iterable[Study]) -> dict[TransferKey, list[MeasuredRow]]:
    """All runs with all labels, by the half of a table that they belong to.

    Where a row was run with several configurations, the one with the most seeds, then the best.
    """
    rows: dict[TransferKey, list[MeasuredRow]] = defaultdict(list)
    for study in studies:
        for (key, row, title, fraction), settings in settings_of(study).items():
            if fraction == 1:
                best = min(settings, key=lambda setting: (-setting.seeds, setting.score))
                rows[key].append(MeasuredRow(key=row, title=title, setting=best, study=study))
    return rows
