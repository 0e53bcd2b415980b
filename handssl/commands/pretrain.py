"""`handssl pretrain`: one run outside a search."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.commands.arguments import fields_of
from handssl.commands.printing import print_epochs, print_lines
from handssl.data import open_store
from handssl.encoders import EncoderConfig
from handssl.objectives import objective_config
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--store", type=Path, required=True)
    add("--checkpoint", type=Path, required=True, help="written each epoch, and continued")
    add("--objective", default="contrastive")
    add("--composition", default="translate+color_jitter+scale")
    add("--encoder", default="resnet18", help="architecture: resnet18, ..., or timm:<name>")
    add("--weights", default="random", help="random, imagenet, or a file")
    add("--size-px", type=int, default=128)
    add("--epochs", type=int, default=100)
    add("--batch-size", type=int, default=512)
    add("--accumulation", type=int, default=4)
    add("--base-lr", type=float, default=1e-4, help="times the root of batch × accumulation")
    add("--warmup-epochs", type=float, help="default a tenth of the epochs")
    add("--seed", type=int, default=0)
    add("--device", default="cpu")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.warmup_epochs is None:
        arguments.warmup_epochs = arguments.epochs / 10
    config = PretrainConfig(
        **fields_of(PretrainConfig, arguments)
        | {
            "encoder": EncoderConfig(name=arguments.encoder, weights=arguments.weights),
            "objective": objective_config(arguments.objective),
            "optimizer": OptimizerConfig(**fields_of(OptimizerConfig, arguments)),
        }
    )
    checkpoint: Path = arguments.checkpoint
    run = Pretraining(
        config,
        open_store(arguments.store).split("train"),
        seed=arguments.seed,
        device=arguments.device,
        resume=checkpoint if checkpoint.exists() else None,
        checkpoint=checkpoint,
    )
    console = Console()
    print_epochs(console, run, config.epochs)
    print_lines(console, f"wrote {checkpoint}")
    return 0
