"""`handssl evaluate`: FreiHAND's official numbers of a submission."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.evaluation.contest import official_scores

__all__ = ["configure"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("submission", type=Path, help="pred.zip or pred.json")
    parser.add_argument("--labels", type=Path, required=True, help="evaluation_xyz.json")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    console = Console()
    for name, value in official_scores(arguments.submission, arguments.labels).items():
        console.print(f"{name}: {value:.6f}", highlight=False)
    return 0
