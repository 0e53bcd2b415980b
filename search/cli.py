"""The command line that all commands of `search` share: options, help, exit status."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from handssl.allocator import keep_freed_memory
from handssl.errors import HandSSLError
from search.config.compose import compose_config
from search.config.help import print_help, yaml_lines


def main(
    name: str,
    schema: type[Any],
    run: Callable[..., int],
    description: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Compose `configs/<name>.yaml` with the command line and run; returns the exit status.

    Args:
        name: Of the file.
        schema: The dataclass of the configuration.
        run: The command: a function of the configuration and the keywords console, verbose and
            overrides, which returns the exit status.
        description: First paragraph of `--help`.
        argv: The command line; None is this process's.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--cfg", choices=["job"])
    arguments = parser.parse_intermixed_args(sys.argv[1:] if argv is None else argv)
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        config = compose_config(arguments.overrides, name, schema)
        if arguments.help:
            print_help(console, description, config)
            return 0
        if arguments.cfg:
            for line in yaml_lines(config):
                console.print(line, markup=False, soft_wrap=True)
            return 0
        keep_freed_memory()
        return run(
            config, console=console, verbose=arguments.verbose, overrides=arguments.overrides
        )
    except HandSSLError as error:
        errors.print("refused:", style="red", end=" ")
        errors.print(str(error), markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        errors.print("interrupted; run the same command again to continue")
        return 130
