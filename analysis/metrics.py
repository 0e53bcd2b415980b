"""The errors that a study may be ranked by, and the one that ranks a report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from analysis.records import ABSOLUTE, Metric, Problem, Study
from handssl.errors import ConfigError


def _errors() -> Mapping[str, Metric]:
    metrics = [ABSOLUTE, Metric(name="mpjpe_cm", noun="mean error", short="MPJE")]
    for key, noun in (("ra", "root-aligned"), ("pa", "Procrustes-aligned")):
        metrics += [
            Metric(
                name=f"{key}_median_pje_cm",
                noun=f"{noun} median error",
                short=f"{key.upper()} median PJE",
                array=f"{key}_error_cm",
            ),
            Metric(name=f"{key}_mpjpe_cm", noun=f"{noun} mean error", short=f"{key.upper()} MPJE"),
        ]
    array = "uv_error_pct"
    metrics += [
        Metric(
            name="uv_median_pct", noun="2D median error", short="2D median", unit="%", array=array
        ),
        Metric(name="uv_mean_pct", noun="2D mean error", short="2D mean", unit="%"),
    ]
    return MappingProxyType({metric.name: metric for metric in metrics})


METRICS: Final = _errors()
"""Every error of a pose in cm or in % of the box's side; lower is better."""


def rank_by(studies: Sequence[Study], name: str | None = None) -> tuple[Study, ...]:
    """The studies with one metric for their rankings, and the records that lack it as problems.

    Args:
        studies: The studies of one report.
        name: A key of `METRICS`. By default the metric that all studies searched by, if it is one
            of these and was recorded; otherwise the absolute median, which all records have.

    Raises:
        ConfigError: If `name` is unknown, or a study has no record with it.
    """
    recorded = [names for study in studies if (names := _recorded(study))]
    valid = [key for key in METRICS if all(key in names for names in recorded)]
    if name is None:
        searched = {_searched_by(study) for study in studies}
        chosen = searched.pop() if len(searched) == 1 else ABSOLUTE.name
        metric = METRICS[chosen] if chosen in valid else ABSOLUTE
    elif name not in valid:
        raise ConfigError(
            f"metric must be one of {', '.join(valid)}, which the records have, "
            f"but got metric={name}"
        )
    else:
        metric = METRICS[name]
    return tuple(_ranked(study, metric) for study in studies)


def _recorded(study: Study) -> set[str]:
    return {name for r in study.records if r.is_finished for name in r.metrics}


def _searched_by(study: Study) -> str:
    """`search.metric.name` of a study's configuration; the absolute median where it has none."""
    section: object = study.section("config")
    for key in ("search", "metric"):
        section = section.get(key) if isinstance(section, Mapping) else None
    name = section.get("name") if isinstance(section, Mapping) else None
    return str(name or ABSOLUTE.name)


def _ranked(study: Study, metric: Metric) -> Study:
    named = {problem.file for problem in study.problems}
    problems = tuple(
        Problem(
            file=record.file,
            what=f"is finished and has no metrics.{metric.name}",
            consequence="not ranked",
        )
        for record in study.records
        if record.is_finished and metric.name not in record.metrics and record.file not in named
    )
    return replace(
        study,
        metric=metric,
        records=tuple(replace(record, metric=metric) for record in study.records),
        problems=study.problems + problems,
    )
