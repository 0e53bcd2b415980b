"""Describe a configuration: `--help`, and the YAML of `--cfg job`."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

from rich.console import Console
from rich.padding import Padding

from handssl.checked import choices_of
from search.config.compose import CONFIG_DIR, GROUPS

_USAGE = """\
Every option is a key of the configuration: KEY=VALUE sets it, GROUP=NAME chooses a file of a group
under configs/. These are the groups:
"""

_FLAGS = """
  -v, --verbose   show Ray's messages
  --cfg job       print the configuration as YAML, and stop
  -h, --help      this text; with overrides, it shows the values that they lead to

A value with a comma, a bracket or a brace needs quotes against the shell:
  'search.augmentations=[translate,scale]'   'search.objectives.care={name: care}'
A comma inside a text needs quotes of its own: 'study.label="one, two"'

Exit status: 0 complete, 1 some trials failed or the study had to stop, 2 refused before starting,
130 interrupted.
"""


class Option(NamedTuple):
    """One key of the configuration, with its value and its meaning."""

    key: str
    value: str
    meaning: str


def describe_options(config: Any, prefix: str = "") -> Iterator[Option]:
    """Every key with its value and its meaning, groups depth first.

    Example:
        >>> from handssl.encoders import EncoderConfig
        >>> [option.key for option in describe_options(EncoderConfig(), "encoder.")]
        ['encoder.name', 'encoder.weights']
    """
    hints = get_type_hints(type(config), include_extras=True)
    meanings = _attributes(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from describe_options(value, f"{prefix}{field.name}.")
            continue
        meaning = meanings.get(field.name, "")
        choices = choices_of(hints[field.name])
        if choices:
            meaning += f" [{'|'.join(map(str, choices))}]"
        yield Option(f"{prefix}{field.name}", _written(value), meaning.strip())


def print_help(console: Console, description: str, config: Any) -> None:
    """Print the text of `--help`: a description, the groups, and the keys with their values."""

    def show(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    show(f"{description.strip()}\n\n{_USAGE}")
    for group in GROUPS:
        if hasattr(config, group):
            names = sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))
            show(f"  {group}={'|'.join(names)}")
    show("\nThese are the keys, with their present values:\n")
    for option in describe_options(config):
        show(f"  {option.key}={option.value}")
        console.print(Padding(option.meaning, (0, 0, 0, 6)), markup=False)
    show(_FLAGS)


def yaml_lines(config: Any) -> Iterator[str]:
    """The configuration as YAML, with the meaning of each key as a comment."""
    open_groups: list[str] = []
    for option in describe_options(config):
        *groups, leaf = option.key.split(".")
        for depth, group in enumerate(groups):
            if open_groups[: depth + 1] != groups[: depth + 1]:
                yield "  " * depth + f"{group}:"
        open_groups = groups
        yield "  " * len(groups) + f"{leaf}: {option.value}  # {option.meaning}"


def _attributes(cls: type) -> dict[str, str]:
    """The `Attributes` sections of a class's docstring and its bases', by name."""
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, section = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
        meanings |= {name: " ".join(text.split()) for name, text in entries}
    return meanings


def _written(value: Any) -> str:
    """A value in YAML's flow style, as on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(v)}" for key, v in value.items()) + "}"
    return str(value) or "''"
