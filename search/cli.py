"""What every command of `search` shares: its options, its help, its exit status."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.padding import Padding

from handssl.allocator import keep_freed_memory
from handssl.errors import HandSSLError
from search.config.compose import CONFIG_DIR, compose_config, options

GROUPS = ("cluster", "data", "fidelity", "search", "study")
"""Folders of `configs/` that hold Hydra groups; the others hold files for other programs."""

_USAGE = """\
Every option is a key: KEY=VALUE overrides it, GROUP=NAME takes another file of a group under
configs/. These are the groups:
"""

_FLAGS = """
  -v, --verbose   let Ray's own messages through
  --cfg job       print the configuration as YAML, and stop
  -h, --help      this text; with overrides, it shows what they lead to

Exit status: 0 complete, 1 some trials failed or the study had to stop, 2 refused before starting,
130 interrupted.
"""


ConfigT = TypeVar("ConfigT")
ConfigT_contra = TypeVar("ConfigT_contra", contravariant=True)


class Command(Protocol[ConfigT_contra]):
    """What a command does with a checked configuration; returns the exit status."""

    def __call__(
        self, config: ConfigT_contra, *, console: Console, verbose: bool, overrides: Sequence[str]
    ) -> int:
        """Run it."""
        ...


def main(
    name: str,
    schema: type[ConfigT],
    run: Command[ConfigT],
    description: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Compose `configs/<name>.yaml` with the command line and run; returns the exit status.

    Args:
        name: Of the file.
        schema: What it is composed into.
        run: The command.
        description: What `--help` begins with.
        argv: The command line; default this process's.
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
            _help(console, description, config)
            return 0
        if arguments.cfg:
            for line in _yaml(config):
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


def _help(console: Console, description: str, config: Any) -> None:
    def show(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    show(f"{description.strip()}\n\n{_USAGE}")
    for group in GROUPS:
        if not hasattr(config, group):
            continue
        members = "|".join(sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml")))
        show(f"  {group}={members}")
    show("\nThese are the keys, with the values they have now:\n")
    for option in options(config):
        show(f"  {option.key}={option.value}")
        console.print(Padding(option.meaning, (0, 0, 0, 6)), markup=False)
    show(_FLAGS)


def _yaml(config: Any) -> Iterator[str]:
    """The configuration as YAML, each key with its meaning behind it."""
    open_groups: list[str] = []
    for option in options(config):
        *groups, leaf = option.key.split(".")
        for depth, group in enumerate(groups):
            if open_groups[: depth + 1] != groups[: depth + 1]:
                yield "  " * depth + f"{group}:"
        open_groups = groups
        yield "  " * len(groups) + f"{leaf}: {option.value}  # {option.meaning}"
