"""Names that change after revision ebbf542: a command of ebbf542 in the names of another checkout.

Commands are written in the names of ebbf542. Each renamed key, file or flag needs one line in
`RENAMED`; a line has an effect where the checkout no longer has the old name.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

RENAMED: Final[Mapping[str, str]] = {
    # Keys of the configuration; * stands for any part.
    "runs": "search",  # runs.concurrent, runs.retries, runs.storage
    "search.only": "search.include",
    "search.singles": "search.single_augmentations",
    "search.second_stage.best": "search.second_stage.top_k",
    "search.second_stage.also": "search.second_stage.extra",
    "transfer.rows.*.floors": "transfer.rows.*.baselines",
    "transfer.shares": "transfer.weights",
    "transfer.least_steps": "transfer.min_steps",
    # Files under configs/, and a group of rows in one of them.
    "transfer.rows.looks": "transfer.rows.domains",
    "study=embedded": "study=synthetic",
    "study=looks": "study=domains",
    "fidelity=embedded": "fidelity=synthetic",
    # Flags of `handssl`.
    "--look": "--domain",
    "--shares": "--weights",
    # A value: the options of an objective are keys of it.
    "options: {": "",
}

UNUSED_OBJECTIVE_KEYS: Final[Mapping[str, object]] = {
    "targets": "standardised",
    "rotation": "angle",
    "norm": "l1",
    "equivariance": "released",
    "mixture": "separate",
    "contrastive_weighting": "constant",
    "contrastive_weight": 1.0,
    "options": {},
}
"""Keys that ebbf542 wrote for every objective, with their defaults."""


RENAMED_PARTS: Final[Mapping[str, str]] = {
    "options: {weight: 0.1, chunk: 8}": "weight: 0.1, chunk: 8"
}
"""Parts of a value, where each objective has its keys in a class: handssl/objectives/config.py."""


class Names:
    """The names that a checkout uses.

    Args:
        checkout: Its folder.
    """

    def __init__(self, checkout: Path) -> None:
        configuration = _sources(checkout, ("search/config/*.py", "search/*config*.py"))
        commands = _sources(checkout, ("handssl/commands/*.py",))
        classes = (checkout / "handssl" / "objectives" / "config.py").exists()
        self._parts = RENAMED_PARTS if classes else {}
        self._renamed = {
            old: new
            for old, new in RENAMED.items()
            if not _has(checkout, old, configuration=configuration, commands=commands)
        }

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Arguments of ebbf542 in the names of the checkout."""
        return [self._argument(argument) for argument in arguments]

    def _argument(self, argument: str) -> str:
        if argument in self._renamed:
            return self._renamed[argument]
        key, equals, value = argument.partition("=")
        for old, new in self._parts.items():
            value = value.replace(old, new)
        name = key.lstrip("+")
        if "options: {" in self._renamed:
            value = re.sub(r"options: \{([^}]*)\}", r"\1", value)
        return key[: len(key) - len(name)] + _replaced(name, self._renamed) + equals + value


def original_key(key: str) -> str:
    """The name at ebbf542 of a key of the configuration of any checkout."""
    # The keys of `runs` decide no numbers, and `search` had others before.
    return _replaced(key, {new: old for old, new in RENAMED.items() if old != "runs"})


def _sources(checkout: Path, patterns: Sequence[str]) -> str:
    paths = [path for pattern in patterns for path in sorted(checkout.glob(pattern))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _has(checkout: Path, old: str, *, configuration: str, commands: str) -> bool:
    """Whether a checkout still has an old name: a flag, a file, or a field of a dataclass."""
    if old.startswith("--"):
        return f'"{old}"' in commands
    group, equals, name = old.partition("=")
    if equals:
        return (checkout / "configs" / group / f"{name}.yaml").exists()
    if old == "options: {":
        return not (checkout / "handssl" / "objectives" / "config.py").exists()
    field = old.rpartition(".")[2]
    return re.search(rf"^    {field}: ", configuration, re.MULTILINE) is not None


def _replaced(key: str, names: Mapping[str, str]) -> str:
    for before, after in names.items():
        pattern = re.escape(before).replace(r"\*", r"([^.]+)")
        match = re.match(rf"{pattern}(?=\.|$)", key)
        if match:
            key = after.replace("*", "{}").format(*match.groups()) + key[match.end() :]
    return key
