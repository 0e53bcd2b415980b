"""`handssl evaluate`: FreiHAND's official numbers of a submission, or a pose model on a store."""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from handssl.commands.printing import print_scores
from handssl.data import Store, open_store
from handssl.errors import ConfigError
from handssl.evaluation.finetune import evaluate_model
from handssl.evaluation.official import interhand_mpjpe_mm, official_scores
from handssl.evaluation.pose_model import PoseModel


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("subject", type=Path, help="pred.zip or pred.json, or the checkpoint of a pose model")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--labels", type=Path, help="evaluation_xyz.json, of a submission")
    against.add_argument("--store", type=Path, help="a store, of a pose model")
    add("--split", help="train, val or test of the store; default val and test")
    add("--device", default="cpu")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    console = Console()
    submission = arguments.subject.suffix in (".zip", ".json")
    if submission != (arguments.labels is not None):
        raise ConfigError(
            "a submission (.zip, .json) must be evaluated with --labels, and a checkpoint with "
            f"--store, but got {arguments.subject}"
        )
    if submission:
        for name, value in official_scores(arguments.subject, arguments.labels).items():
            console.print(f"{name}: {value:.6f}", highlight=False)
        return 0
    model = PoseModel.load(arguments.subject)
    store = open_store(arguments.store)
    present = [name for name in ("val", "test") if name in set(store.splits)]
    for name in [arguments.split] if arguments.split else present:
        _evaluate(console, model, store.split(name), name, arguments.device)
    return 0


def _evaluate(console: Console, model: PoseModel, store: Store, split: str, device: str) -> None:
    evaluated = evaluate_model(model, store, device=device)
    print_scores(console, evaluated.metrics, title=f"{split}: {len(store):,} images")
    counts = np.isfinite(evaluated.errors["error_cm"])
    errors_mm = interhand_mpjpe_mm(evaluated.prediction_m, store.joints_m, counts, store.sides)
    for name, value in errors_mm.items():
        console.print(f"InterHand2.6M's {name}: {value:.4f}", highlight=False)
