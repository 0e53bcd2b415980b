"""`handssl probe`: how much of the pose an encoder's features hold."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.commands.scores import print_scores
from handssl.commands.view_size import view_size
from handssl.data import open_store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import PoseModel, ProbeConfig, linear_probe
from handssl.evaluation.probe import SOLVERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--encoder", required=True, help="file of weights, random, or imagenet")
    add("--name", default="resnet18", help="architecture: resnet18, hrnet_w18, timm:<name>, ...")
    add("--store", type=Path, required=True)
    add("--solver", choices=SOLVERS, default="exact")
    add("--label-fraction", type=float, default=1.0, help="share of the training poses")
    add("--epochs", type=int, default=50, help="of the released solver")
    add("--size-px", type=int, help="side of a view; default that of the weights, or 128")
    add("--seed", type=int, default=0)
    add("--device", default="cpu")
    add("--out", type=Path, help="write the fitted pose model, for `handssl predict`")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    encoder = build_encoder(EncoderConfig(name=arguments.name, weights=arguments.encoder))
    config = ProbeConfig(
        solver=arguments.solver,
        label_fraction=arguments.label_fraction,
        epochs=arguments.epochs,
        size_px=view_size(arguments.encoder, arguments.size_px),
    )
    store = open_store(arguments.store)
    result = linear_probe(
        encoder,
        store.split("train"),
        store.split("val"),
        config,
        device=arguments.device,
        seed=arguments.seed,
    )
    console = Console()
    print_scores(console, result.metrics)
    if arguments.out is not None:
        model = PoseModel(
            encoder,
            name=arguments.name,
            size_px=config.size_px,
            bone_m=result.bone_m,
            head="linear",
        )
        model.set_layer(result.layer)
        model.cpu().save(arguments.out)
        console.print(f"wrote {arguments.out}", markup=False, highlight=False, soft_wrap=True)
    return 0
