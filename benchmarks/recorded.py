"""An exhaustive study as it was recorded: every point's error at its rungs and at its end."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from handssl.augment import AUGMENTATIONS
from handssl.errors import DataError
from handssl.records import COMPACT, OBJECTIVE, Record, read_description, read_records
from handssl.training import OptimizerConfig, PretrainConfig
from search.config.renamed import upgrade_config
from search.config.schema import Config, StudyConfig, TrialConfig
from search.config.search import SearchConfig
from search.config.typed import from_dict
from search.space.point import Point, point_from


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One recorded trial.

    Attributes:
        error_cm: By epoch, at the rungs and at the end.
        encoder_steps: Of the whole trial.
        epochs: Of the whole trial.
        metrics: Of its end.
    """

    error_cm: Mapping[int, float]
    encoder_steps: int
    epochs: int
    metrics: Mapping[str, float]

    def steps_to(self, epoch: int) -> int:
        """Encoder steps up to the end of an epoch; all epochs are equally long."""
        return self.encoder_steps * epoch // self.epochs


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStudy:
    """All points of a space with what came of them.

    Attributes:
        label: What the study's fidelity is worth.
        config: Its search space and length.
        curves: First trial of each point.
    """

    label: str
    config: Config
    curves: Mapping[Point, Curve]

    @property
    def encoder_steps(self) -> int:
        """Of the exhaustive study."""
        return sum(curve.encoder_steps for curve in self.curves.values())

    @property
    def best_cm(self) -> float:
        """Its smallest error."""
        return min(curve.error_cm[curve.epochs] for curve in self.curves.values())


def read_recorded(folder: Path) -> RecordedStudy:
    """The finished first trials of a study, from its `study.json` and `trials.parquet` alone.

    Raises:
        DataError: There is no such study, or it finished no trial.
    """
    try:
        study = read_description(folder)
        records = read_records(folder).values()
    except FileNotFoundError as error:
        raise DataError(f"{folder} must hold study.json and {COMPACT} ({error})") from error
    # What a grid tries alone beside its compositions is not in a sampler's space.
    alone = {AUGMENTATIONS[name].symbol for name in study.config["search"].get("singles", ())}
    curves = {
        _point(record): _curve(record)
        for record in records
        if record.is_finished and record.stage == 1 and record.repeat == 0
        if record.point["composition"] not in alone
    }
    if not curves:
        raise DataError(f"{folder} must hold finished trials, but has none")
    recorded = upgrade_config(study.config)
    # Only what spans the space: an older version may have had other keys elsewhere, and nothing
    # is trained, so that a warm-up that fits any length will do. Curves are of the study's error,
    # whatever it searched by.
    others = ("metric", "second_metric", "single_augmentations", "second_stage")
    search = {key: value for key, value in recorded["search"].items() if key not in others}
    search["metric"] = {"name": OBJECTIVE, "direction": "minimize"}
    config = Config(
        search=from_dict(SearchConfig, search),
        study=StudyConfig(epochs=recorded["study"]["epochs"]),
        trial=TrialConfig(pretrain=PretrainConfig(optimizer=OptimizerConfig(warmup_epochs=0.0))),
    )
    return RecordedStudy(label=study.fidelity["label"], config=config, curves=curves)


def _point(record: Record) -> Point:
    return point_from({**record.point, "values": record.point.get("values") or []})


def _curve(record: Record) -> Curve:
    metrics = {name: value for name, value in record.metrics.items() if value is not None}
    rungs = {
        rung.epoch: value
        for rung in record.rungs
        if (value := rung.metrics.get(OBJECTIVE)) is not None
    }
    return Curve(
        error_cm={**rungs, record.epochs: metrics[OBJECTIVE]},
        encoder_steps=record.encoder_steps,
        epochs=record.epochs,
        metrics=metrics,
    )
