"""Our runs of the cross-dataset and supervised experiments (tables 2 to 4 and 6 to 9).

Such a record has a field ``transfer``: ``{"pretrain": "FH+IH", "fit": "FH",
"evaluate": ["IH"], "mode": "supervised|frozen|unfrozen", "label_fraction": 1.0, "layer_decay":
1.0}``. A run that was evaluated on several data sets has the metrics of each under
``evaluations``; in ``metrics`` stand those of the first. A pretraining that several runs start
from has mode ``pretrain`` and no row of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.grid import Setting, is_transfer
from analysis.notation import objective_base, objective_title
from analysis.records import Record, Study, setting_of

FLOORS = ("random", "imagenet")
"""What a run may start from instead of a pretraining of ours."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TransferKey:
    """Which half of a table a run belongs to: ``resnet``, ``FH``, ``IH``."""

    encoder: str
    fit: str
    evaluate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row of ours.

    Attributes:
        key: ``supervised``, ``frozen`` or ``unfrozen`` where the study has such a row, else the
            objective with the mode, as in ``relative:frozen``.
        title: How the row is called where the study has none.
        setting: The runs.
        study: Where they come from.
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
    """The encoder of a run, as its configuration names it."""
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
    how = mode if decay == 1 else f"{mode}, layer decay {decay:g}"
    if base in FLOORS:
        return f"{base}:{how}", f"{objective_title(base)} ({how})"
    if base == "contrastive":
        return how, f"+ Contrastive ({how})"
    return f"{record.variant}:{how}", f"+ {objective_title(record.variant)} ({how})"


def fraction_of(record: Record) -> float:
    """Share of the labels that a run was fitted with."""
    return float(record.transfer.get("label_fraction") or 1.0)


def evaluated(record: Record) -> list[tuple[TransferKey, Record]]:
    """A run once for each data set that it was evaluated on, as if on that alone.

    Runs that differ in nothing but what else they were evaluated on then have equal settings.
    """
    part: Mapping[str, Any] = record.transfer
    if record.status != "finished" or record.kind == "pretrain":
        return []
    names = part.get("evaluate")
    found = []
    for number, name in enumerate(names if isinstance(names, list) else [names]):
        transfer = {**part, "evaluate": name}
        own = replace(
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
        found.append((key, own))
    return found


def find_runs(studies: Iterable[Study]) -> dict[TransferKey, list[Run]]:
    """All runs with all labels, repeats joined, by the half of a table that they belong to."""
    groups: dict[tuple[TransferKey, str, str, str], list[Record]] = defaultdict(list)
    owners: dict[str, Study] = {}
    for study in studies:
        owners[study.name] = study
        for record in filter(is_transfer, study.records):
            for key, own in evaluated(record):
                if fraction_of(own) == 1:
                    groups[key, *row_of(own), study.name].append(own)
    runs: dict[TransferKey, list[Run]] = defaultdict(list)
    for (key, row, title, study_name), records in groups.items():
        by_setting: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_setting[record.setting].append(record)
        settings = [Setting(records=tuple(group)) for group in by_setting.values()]
        best = min(settings, key=lambda setting: (-setting.seeds, setting.score))
        runs[key].append(Run(key=row, title=title, setting=best, study=owners[study_name]))
    return runs
