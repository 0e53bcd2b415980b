"""`handssl probe`: how much of the pose an encoder's features hold."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.commands.arguments import add_encoder, fields_of, view_size
from handssl.commands.printing import print_lines, print_scores
from handssl.data import open_store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import PoseModel, ProbeConfig, linear_probe
from handssl.evaluation.probe import LIFTINGS, SOLVERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_encoder(parser)
    add = parser.add_argument
    add("--solver", choices=SOLVERS, default="exact")
    add("--lifting", choices=LIFTINGS, default="closed_form", help="depth of the root")
    add("--epochs", type=int, default=50, help="of the released solver")
    add("--out", type=Path, help="write the fitted pose model, for `handssl predict`")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    name, device, out = arguments.name, arguments.device, arguments.out
    encoder = build_encoder(EncoderConfig(name=name, weights=arguments.encoder))
    arguments.size_px = view_size(arguments.encoder, arguments.size_px)
    config = ProbeConfig(**fields_of(ProbeConfig, arguments))
    store = open_store(arguments.store)
    train, val = store.split("train"), store.split("val")
    result = linear_probe(encoder, train, val, config, device=device, seed=arguments.seed)
    console = Console()
    print_scores(console, result.metrics)
    if out is not None:
        model = PoseModel.from_probe(encoder, result, name=name, size_px=config.size_px)
        model.cpu().save(out)
        print_lines(console, f"wrote {out}")
    return 0
