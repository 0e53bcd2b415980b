"""The `handssl` command: a sub-command a file in `handssl.commands`, loaded when it is called."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from handssl import __version__
from handssl.allocator import keep_freed_memory
from handssl.errors import HandSSLError


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A sub-command.

    Attributes:
        summary: One line for `handssl --help`.
        module: Where it lives: `configure(parser)` adds its arguments and sets the default `run`,
            a function of the parsed arguments that returns the exit status.
    """

    summary: str
    module: str


COMMANDS: Final[dict[str, Command]] = {
    "data": Command(
        summary="build, look at and check data sets and stores", module="handssl.commands.data"
    ),
    "evaluate": Command(
        summary="measure a pose model on a store, or a FreiHAND submission against its labels",
        module="handssl.commands.evaluate",
    ),
    "export": Command(
        summary="write the encoder of a pretraining checkpoint for torchvision, timm or ONNX",
        module="handssl.commands.export",
    ),
    "finetune": Command(
        summary="train an encoder with a head for the pose", module="handssl.commands.finetune"
    ),
    "predict": Command(
        summary="draw and save the hand's pose in images", module="handssl.commands.predict"
    ),
    "pretrain": Command(
        summary="pretrain one encoder, outside a search", module="handssl.commands.pretrain"
    ),
    "probe": Command(
        summary="fit a linear layer to the pose on an encoder's features",
        module="handssl.commands.probe",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Returns:
        0 done, 1 a check failed, 2 refused (one line on stderr), 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = _parser(arguments).parse_args(arguments)
        keep_freed_memory()
        status: int = parsed.run(parsed)
    except HandSSLError as error:
        Console(stderr=True).print(
            f"handssl: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt:
        Console(stderr=True).print("handssl: interrupted; the same command continues")
        return 130
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handssl", description="Self-supervised pretraining for 3D hand pose."
    )
    parser.add_argument("--version", action="version", version=f"handssl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.summary, description=command.summary)
        # Only the one that is called: the others may import torch, which takes seconds.
        if name in arguments[:1]:
            importlib.import_module(command.module).configure(subparser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
