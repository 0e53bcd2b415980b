"""Our runs of the cross-dataset and supervised experiments (tables 2 to 4 and 6 to 9).

Such a record's configuration has a part ``transfer``: ``{"pretrain": "FH+IH", "fit": "FH",
"evaluate": "IH", "mode": "supervised|frozen|unfrozen"}``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.grid import Setting, is_transfer
from analysis.notation import objective_base, objective_title
from analysis.records import Record, Study

__all__ = ["Run", "TransferKey", "find_runs"]


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


def _encoder(config: Mapping[str, object]) -> str:
    encoder = config.get("encoder")
    name = encoder.get("name") if isinstance(encoder, Mapping) else encoder
    text = str(name).lower()
    return next((known for known in ("resnet", "hrnet") if text.startswith(known)), text)


def _row(record: Record) -> tuple[str, str]:
    mode = str(record.config["transfer"].get("mode") or "frozen")
    base = objective_base(record.variant)
    if "supervised" in (base, mode):
        return "supervised", "Supervised"
    if base == "contrastive":
        return mode, f"+ Contrastive ({mode})"
    return f"{record.variant}:{mode}", f"+ {objective_title(record.variant)} ({mode})"


def find_runs(studies: Iterable[Study]) -> dict[TransferKey, list[Run]]:
    """All transfer runs, repeats joined, by the half of a table that they belong to."""
    groups: dict[tuple[TransferKey, str, str, str], list[Record]] = defaultdict(list)
    owners: dict[str, Study] = {}
    for study in studies:
        owners[study.name] = study
        for record in study.records:
            if record.status == "finished" and is_transfer(record):
                part = record.config["transfer"]
                key = TransferKey(
                    encoder=_encoder(record.config),
                    fit=_data_set(part.get("fit")),
                    evaluate=_data_set(part.get("evaluate")),
                )
                groups[key, *_row(record), study.name].append(record)
    runs: dict[TransferKey, list[Run]] = defaultdict(list)
    for (key, row, title, study_name), records in groups.items():
        by_setting: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_setting[record.setting].append(record)
        settings = [Setting(records=tuple(group)) for group in by_setting.values()]
        best = min(settings, key=lambda setting: (-setting.seeds, setting.score))
        runs[key].append(Run(key=row, title=title, setting=best, study=owners[study_name]))
    return runs
