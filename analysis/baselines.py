"""Answers that compositions are compared with: without the image, and by random weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import stats

from analysis.records import Record, Study
from analysis.statistics import Summary, summarise
from analysis.uncertainty import Draws
from handssl.records import IMAGE_BLIND, RANDOM_WEIGHTS

ANSWERS: Final = {
    "camera_mean": "the mean pose in the camera's frame",
    "crop_mean": "the mean 2.5D pose of the crop",
    "crop_median": "the median 2.5D pose of the crop",
    "crop_depth": "the mean pose at the depth that the crop's side implies",
    "medoid": "the one training pose nearest to all others",
}
"""Image-blind answer to its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One image-blind answer, or random weights under the probe of the trials with all seeds.

    Attributes:
        kind: `IMAGE_BLIND` or `RANDOM_WEIGHTS`.
        answer: Name of the answer, as in `"crop depth"`; "" for random weights.
        records: Its finished records.
    """

    kind: str
    answer: str
    records: tuple[Record, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """Its name in tables and figures."""
        return f"Image-blind: {self.answer}" if self.answer else "Random weights"

    def summary(self, metric: str) -> Summary | None:
        """Mean and standard deviation over the seeds; an image-blind answer has one value."""
        return summarise([r.metrics[metric] for r in self.records if metric in r.metrics])


def baselines(study: Study) -> tuple[Baseline, ...]:
    """The image-blind answers of a study, then random weights; empty where it has no records."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in study.baselines:
        if record.is_finished and record.objective in (IMAGE_BLIND, RANDOM_WEIGHTS):
            answer = record.composition if record.objective == IMAGE_BLIND else ""
            groups.setdefault((record.objective, answer), []).append(record)
    order = [*ANSWERS]
    keys = sorted(
        groups,
        key=lambda key: (key[0], order.index(key[1]) if key[1] in order else len(order), key[1]),
    )
    return tuple(
        Baseline(kind=kind, answer=answer.replace("_", " "), records=tuple(groups[kind, answer]))
        for kind, answer in keys
    )


def best_of_kinds(study: Study) -> tuple[tuple[Baseline, float], ...]:
    """The best image-blind answer and random weights with their errors by the ranking metric."""
    best: dict[str, tuple[Baseline, float]] = {}
    for item in baselines(study):
        summary = item.summary(study.metric.name)
        if summary and (item.kind not in best or summary.mean < best[item.kind][1]):
            best[item.kind] = item, summary.mean
    return tuple(best.values())


def unbeaten(study: Study, draws: Draws | None) -> str:
    """Why a row is not shown to beat every baseline by the ranking metric, as a predicate; or "".

    The strongest baseline that it does not beat is named.
    The row's interval, over poses and seeds, must lie below each image-blind answer and below the
    interval of random weights over their seeds, at 95 % for all of them together (Bonferroni).
    """
    known = baselines(study)
    if not known:
        return "has no baselines beside it"
    if draws is None or "seeds" not in draws.sources:
        return "has an unknown spread between seeds"
    share = 0.025 / len(known)
    high = float(np.quantile(draws.median_cm, 1 - share))
    summaries = ((item, item.summary(study.metric.name)) for item in known)
    measured = [(item, summary) for item, summary in summaries if summary]
    for item, summary in sorted(measured, key=lambda pair: pair[1].mean):
        half = 0.0 if item.kind == IMAGE_BLIND else np.inf  # one seed has no interval
        if summary.sd is not None:
            half = stats.t.ppf(1 - share, summary.n - 1) * summary.sd / np.sqrt(summary.n)
        if high >= summary.mean - half:
            value = f"{summary.mean:.2f} {study.metric.unit}"
            return f"is not shown to beat {item.title} ({value})"
    return ""


def baseline_note(studies: Sequence[Study]) -> str:
    """The meaning of the baselines, and the studies without them, as sentences."""
    sentences, known = [], [item for study in studies for item in baselines(study)]
    if answers := dict.fromkeys(item.answer for item in known if item.answer):
        meanings = (f"{a}, {ANSWERS.get(a.replace(' ', '_'), 'not described')}" for a in answers)
        sentences.append(f"Image-blind answers see no pixel: {'; '.join(meanings)}.")
    if any(item.kind == RANDOM_WEIGHTS for item in known):
        sentences.append("Random weights: the same probe of an untrained encoder.")
    for study in studies:
        kinds = {item.kind for item in baselines(study)}
        words = {IMAGE_BLIND: "image-blind answers", RANDOM_WEIGHTS: "random weights"}
        if missing := [word for kind, word in words.items() if kind not in kinds]:
            sentences.append(
                f"{study.name} has no records of {' and '.join(missing)}, so its errors cannot be "
                "compared with these here."
            )
    return " ".join(sentences)
