"""Metrics of a study for Ray's dashboard, Prometheus and Grafana.

Ray adds the prefix `ray_` to every name and serves all metrics of a node on one port, which
Prometheus reads; `configs/monitoring/` holds the configuration and the dashboard.
"""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from ray.util.metrics import Gauge

from handssl.records import OBJECTIVE, Record, Status
from search.config.metric import SearchMetric

_TRIAL = ("study", "trial", "objective", "composition")

METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "handssl_images_per_s": ("Images per second of a trial's last epoch", _TRIAL),
    "handssl_loss": ("Pretraining loss of a trial's last epoch", _TRIAL),
    "handssl_probe_error_cm": ("Median per-joint error of a trial's last probe, cm", _TRIAL),
    "handssl_best": (
        "Best value so far of the metric that the study optimises",
        ("study", "metric", "direction"),
    ),
    "handssl_trials": ("Trials that have ended, by status", ("study", "status")),
}
"""Meaning and tags of each metric."""

_OF_ROW = {
    "handssl_images_per_s": "images_per_s",
    "handssl_loss": "loss",
    "handssl_probe_error_cm": OBJECTIVE,
}


class StudyMetrics:
    """The metrics of one study, which its driver sets while Ray runs."""

    def __init__(self, study: str, metric: SearchMetric, finished: Iterable[Record] = ()) -> None:
        self._study = study
        self._metric = metric
        self._gauges = {
            name: Gauge(name, description=meaning, tag_keys=tags)
            for name, (meaning, tags) in METRICS.items()
        }
        self._ended = dict.fromkeys(get_args(Status), 0)
        self._best: float | None = None
        for record in finished:
            self._count(record)
        self._set_gauges()

    def report(self, trial: str, objective: str, composition: str, row: Mapping[str, Any]) -> None:
        """Set the metrics of a running trial to its last report, a row of metrics.jsonl."""
        tags = dict(zip(_TRIAL, (self._study, trial, objective, composition), strict=True))
        for name, key in _OF_ROW.items():
            if key in row:
                self._gauges[name].set(float(row[key]), tags=tags)

    def ended(self, record: Record) -> None:
        """Set the metrics of a trial that has ended, and those of the study."""
        self.report(record.trial, record.objective, record.composition, record.metrics)
        self._count(record)
        self._set_gauges()

    def _count(self, record: Record) -> None:
        self._ended[record.status] += 1
        value = self._metric.of(record)
        if record.status == "finished" and value is not None:
            best = self._metric.worst if self._best is None else self._best
            self._best = min(value, best, key=self._metric.cost)

    def _set_gauges(self) -> None:
        tags = {"study": self._study}
        for status, number in self._ended.items():
            self._gauges["handssl_trials"].set(number, tags=tags | {"status": status})
        if self._best is not None:
            tags |= {"metric": self._metric.name, "direction": self._metric.direction}
            self._gauges["handssl_best"].set(self._best, tags=tags)
