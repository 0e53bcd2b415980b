"""`handssl finetune`: train an encoder with a head for the pose."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.commands.arguments import add_encoder, fields_of, view_size
from handssl.commands.printing import print_epochs, print_lines, print_scores
from handssl.data import open_store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import FinetuneConfig, Finetuning
from handssl.evaluation.finetune_config import MODES
from handssl.training import OptimizerConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_encoder(parser)
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="written each epoch, and continued")
    add("--mode", choices=MODES, help="default unfrozen, or supervised without pretraining")
    add("--layer-decay", type=float, default=1.0, help="learning rate of a stage over the next's")
    add("--refine-root", action="store_true", help="also train a correction of the root's depth")
    add("--epochs", type=int, default=100)
    add("--batch-size", type=int, default=128)
    add("--base-lr", type=float, default=4.42e-5, help="times the root of the batch")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    encoder = EncoderConfig(name=arguments.name, weights=arguments.encoder)
    build_encoder(encoder)  # Refuses weights that do not fit before anything else is read.
    untrained = arguments.encoder in ("random", "imagenet")
    optimizer = OptimizerConfig(
        name="adam", base_lr=arguments.base_lr, weight_decay=2e-4, warmup_epochs=0.0
    )
    config = FinetuneConfig(
        **fields_of(FinetuneConfig, arguments)
        | {
            "mode": arguments.mode or ("supervised" if untrained else "unfrozen"),
            "encoder": encoder,
            "size_px": view_size(arguments.encoder, arguments.size_px),
            "optimizer": optimizer,
        }
    )
    store = open_store(arguments.store)
    train, val = store.split("train"), store.split("val")
    checkpoint: Path = arguments.checkpoint
    run = Finetuning(
        config,
        train,
        seed=arguments.seed,
        device=arguments.device,
        resume=checkpoint if checkpoint.exists() else None,
        checkpoint=checkpoint,
    )
    console = Console()
    print_epochs(console, run, config.epochs)
    print_scores(console, run.evaluate(val).metrics)
    advice = f"try it: handssl predict IMAGE --checkpoint {checkpoint}"
    print_lines(console, f"wrote {checkpoint}", advice)
    return 0
