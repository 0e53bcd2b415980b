"""The probe's three solvers over the encoders of a study: do they rank them alike?

Every encoder that a study kept is probed on the study's own images by all three solvers, with the
settings and the seed of its record: exact (ridge), robust (L1 by reweighting) and released (50
epochs of Adam, fresh views in every epoch). Rank correlations are Spearman's over the encoders, of
the median error that the search minimises and of the same after root alignment; bias is the median
over encoders of the ratio of two errors, less one. The study: the seven compositions of translate,
scale and colour jitter under two objectives, in the size of the quick study.

`python benchmarks/agreement.py results/STUDY` says the same of a study of yours that was run with
`trial.keep_encoder=true`.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from rich.console import Console
from scipy import stats

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from benchmarks.studies import run_study
from handssl import records
from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import ProbeConfig, linear_probe
from handssl.evaluation.probe import SOLVERS
from search.config.renamed import upgrade_config
from search.config.schema import Config
from search.config.typed import from_dict
from search.trials.datasets import open_data

_METRICS: Final = ("median_pje_cm", "ra_median_pje_cm")
_NAMES: Final = {"median_pje_cm": "median PJE", "ra_median_pje_cm": "root-aligned median PJE"}


class Probed(NamedTuple):
    """One encoder: metrics and CPU seconds of every solver."""

    trial: str
    metrics: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float]


def measure(*, quick: bool = False) -> list[Row]:
    """Rank correlations, biases, and how many times faster than the released solver."""
    torch.set_num_threads(1)
    names = "[translate]" if quick else "[translate,scale,color_jitter]"
    overrides = [
        f"search.augmentations={names}",
        "trial.keep_encoder=true",
        "study.epochs=2" if quick else "study.epochs=8",
        "trial.pretrain.batch_size=32",
    ]
    store = embedded(quick=quick)
    with tempfile.TemporaryDirectory() as results:
        run_study(overrides, quick=quick, results=Path(results))
        study = Path(results) / "benchmark"
        return _rows(list(_probe_all(study, store, epochs=2 if quick else 50)), quick=quick)


def _probe_all(study: Path, store: Store, *, epochs: int) -> Iterator[Probed]:
    """Every encoder that a study kept, by every solver."""
    train, val = store.split("train"), store.split("val")
    for trial, record in records.read_records(study).items():
        weights = study / "trials" / trial / "encoder.safetensors"
        if not record.is_finished or not weights.exists():
            continue
        config = from_dict(ProbeConfig, record.config["probe"])
        name = record.config["encoder"]["name"]
        metrics, seconds = {}, {}
        for solver in SOLVERS:
            encoder = build_encoder(EncoderConfig(name=name, weights=str(weights)))
            own = dataclasses.replace(config, solver=solver, epochs=epochs)
            start = time.process_time()
            result = linear_probe(encoder, train, val, own, seed=record.seed)
            seconds[solver] = time.process_time() - start
            metrics[solver] = result.metrics
        yield Probed(trial, metrics, seconds)


def _rows(probed: list[Probed], *, quick: bool) -> list[Row]:
    if len(probed) < 2:
        return [row("encoders of the study", "fewer than two: nothing to compare")]
    rows = [row("encoders", str(len(probed)))]
    pairs = (("exact", "released"), ("robust", "released"), ("exact", "robust"))
    for metric in _METRICS:
        for one, other in pairs:
            a, b = (np.array([own.metrics[s][metric] for own in probed]) for s in (one, other))
            label = f"{one} against {other}, {_NAMES[metric]}"
            judged = one == "exact" and other == "released" and metric == _METRICS[0]
            rows.append(
                row(
                    f"{label}: rank correlation",
                    float(stats.spearmanr(a, b).statistic),
                    least=0.9 if judged and not quick else None,
                )
            )
            rows.append(row(f"{label}: bias", 100 * float(np.median(a / b) - 1), "%"))
    total = {solver: sum(own.seconds[solver] for own in probed) for solver in SOLVERS}
    rows += [row(f"{solver} solver, an encoder", total[solver] / len(probed), "CPU-s")
             for solver in SOLVERS]  # fmt: skip
    for solver in ("exact", "robust"):
        least = 20 if solver == "exact" and not quick else None
        ratio = total["released"] / total[solver]
        rows.append(row(f"released over {solver}", ratio, "×", least=least))
    return rows


def main() -> None:
    """Compare the solvers over the encoders of a study that was recorded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="results/STUDY, run with trial.keep_encoder=true")
    parser.add_argument("--epochs", type=int, default=50, help="of the released solver")
    arguments = parser.parse_args()
    study = records.read_description(arguments.study)
    config = from_dict(Config, upgrade_config(study.config))
    console = Console()
    store = open_data(config.data, console)
    if config.study.images is not None:
        store = store.take(config.study.images)
    torch.set_num_threads(1)
    for own in _rows(
        list(_probe_all(arguments.study, store, epochs=arguments.epochs)), quick=False
    ):
        console.print(f"{own['what']}: {own['figure']}  {own['budget']}", markup=False)


if __name__ == "__main__":
    main()
