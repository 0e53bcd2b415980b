"""Compare two files of run.py: every number that changed, and every trial that one of them lacks.

    python tests/net/compare.py tests/net/expected.json net.json

An item that only one file has is named, and is no difference: `--only` left it out of the other.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_MACHINE = "machine"
_MAY_GAIN = re.compile(r"configurations|.*/(metrics|reports\[\d+\]|evaluations/\w+)")
"""What may have more keys in a later checkout; the earlier keys must keep their values."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each difference in the items that both have."""
    return [
        line
        for name in before
        if name in after and name != _MACHINE
        for line in _between(before[name], after[name], name)
    ]


def _between(before: Any, after: Any, where: str, *, may_gain: bool = False) -> Iterator[str]:
    may_gain = may_gain or _MAY_GAIN.fullmatch(where) is not None
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before:
            if key not in after:
                yield f"{where}/{key}: missing now"
            else:
                yield from _between(before[key], after[key], f"{where}/{key}", may_gain=may_gain)
        if not may_gain:
            yield from (f"{where}/{key}: new" for key in after if key not in before)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _between(old, new, f"{where}[{index}]", may_gain=may_gain)
    elif before != after or type(before) is not type(after):
        yield f"{where}: {_short(before)} before, {_short(after)} now"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 if all numbers are the same, 1 if one is not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--limit", type=int, default=60, help="lines to print; 0 is all")
    options = parser.parse_args(argv)
    before, after = (
        json.loads(path.read_text(encoding="utf-8")) for path in (options.before, options.after)
    )
    if before[_MACHINE] != after[_MACHINE]:
        print(
            f"note: {before[_MACHINE]} before, {after[_MACHINE]} now; numbers of another kind of "
            "processor or PyTorch differ: run both checkouts on one machine"
        )
    for one, other, path in ((before, after, options.after), (after, before, options.before)):
        if absent := [name for name in one if name not in other]:
            print(f"note: {path} has no {', '.join(absent)}")
    found = differences(before, after)
    shown = found[: options.limit or None]
    print(*shown, sep="\n", end="\n" if shown else "")
    if len(shown) < len(found):
        print(f"... and {len(found) - len(shown)} more; --limit 0 prints them")
    same = [name for name in before if name in after and name != _MACHINE]
    print(f"{len(found)} differences in {', '.join(same)}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
