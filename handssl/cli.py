"""The `handssl` command: a sub-command a file in `handssl.commands`, loaded when it is called."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from handssl import __version__
from handssl.allocator import keep_freed_memory
from handssl.errors import HandSSLError

COMMANDS: Final = {
    "data": "build, look at and check data sets and stores",
    "evaluate": "measure a pose model on a store, or a FreiHAND submission against its labels",
    "export": "write the encoder of a pretraining checkpoint for torchvision, timm or ONNX",
    "finetune": "train an encoder with a head for the pose",
    "predict": "draw and save the hand's pose in images",
    "pretrain": "pretrain one encoder, outside a search",
    "probe": "fit a linear layer to the pose on an encoder's features",
}
"""Sub-commands, each with its line in `handssl --help`. The module of that name in
`handssl.commands` has `configure(parser)`, which adds the arguments and sets the default `run`: a
function of the parsed arguments that returns the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Returns:
        0 done, 1 a check failed, 2 refused (one line on stderr), 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = _parser(arguments).parse_args(arguments)
        keep_freed_memory()
        return int(parsed.run(parsed))
    except HandSSLError as error:
        Console(stderr=True).print(
            f"handssl: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt:
        Console(stderr=True).print("handssl: interrupted; the same command continues")
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handssl", description="Self-supervised pretraining for 3D hand pose."
    )
    parser.add_argument("--version", action="version", version=f"handssl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary)
        # Only the one that is called: the others may import torch, which takes seconds.
        if name in arguments[:1]:
            importlib.import_module(f"handssl.commands.{name}").configure(subparser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
