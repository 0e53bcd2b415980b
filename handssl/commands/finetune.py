"""`handssl finetune`: train an encoder with a head for the pose."""

import argparse
from pathlib import Path

from rich.console import Console

from handssl.commands.scores import print_scores
from handssl.commands.view_size import view_size
from handssl.data import open_store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import FinetuneConfig, Finetuning
from handssl.evaluation.finetune_config import MODES
from handssl.progress import print_epochs
from handssl.training import OptimizerConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--encoder", required=True, help="file of weights, random, or imagenet")
    add("--name", default="resnet18", help="architecture: resnet18, hrnet_w18, timm:<name>, ...")
    add("--store", type=Path, required=True)
    add("--checkpoint", type=Path, required=True, help="written each epoch, and continued")
    add("--mode", choices=MODES, help="default unfrozen, or supervised without pretraining")
    add("--label-fraction", type=float, default=1.0, help="share of the training poses")
    add("--layer-decay", type=float, default=1.0, help="learning rate of a stage over the next's")
    add("--refine-root", action="store_true", help="also train a correction of the root's depth")
    add("--size-px", type=int, help="side of a view; default that of the weights, or 128")
    add("--epochs", type=int, default=100)
    add("--batch-size", type=int, default=128)
    add("--base-lr", type=float, default=4.42e-5, help="times the root of the batch")
    add("--seed", type=int, default=0)
    add("--device", default="cpu")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    encoder = EncoderConfig(name=arguments.name, weights=arguments.encoder)
    build_encoder(encoder)  # Refuses weights that do not fit before anything else is read.
    untrained = arguments.encoder in ("random", "imagenet")
    config = FinetuneConfig(
        mode=arguments.mode or ("supervised" if untrained else "unfrozen"),
        encoder=encoder,
        label_fraction=arguments.label_fraction,
        layer_decay=arguments.layer_decay,
        refine_root=arguments.refine_root,
        size_px=view_size(arguments.encoder, arguments.size_px),
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        optimizer=OptimizerConfig(
            name="adam", base_lr=arguments.base_lr, weight_decay=2e-4, warmup_epochs=0.0
        ),
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
    for line in (
        f"wrote {checkpoint}",
        f"try it: handssl predict IMAGE --checkpoint {checkpoint}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0
