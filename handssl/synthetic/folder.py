"""A generated folder: what was asked for, how far it got, and whether it still holds that.

``synthetic.partial.json`` names the request while files are being made, ``synthetic.json`` takes
its place when all of them are there. The data set's own label files are written just before, so
that a half-written folder has images only; and the readers refuse one that is still partial.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from handssl.data.raw.dataset import PARTIAL
from handssl.errors import DataError

GENERATOR_VERSION: Final = 2
"""Grows whenever the same seed would give other bytes."""

_COMPLETE: Final = "synthetic.json"
_TEMPORARY: Final = ".tmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a folder is to hold; two folders with equal requests hold equal bytes.

    Attributes:
        look: Data set whose format and look it has: "freihand" or "interhand".
        seed: Seed of every pose's own generator.
        counts: Named numbers and shares: poses, versions, cameras and the like.
        generator_version: Of the code that draws.
    """

    look: str
    seed: int
    counts: dict[str, float]
    generator_version: int = GENERATOR_VERSION


class GeneratedFolder:
    """A folder between the request and the finished data set.

    Args:
        root: The folder; made when missing.
        request: What it is to hold.

    Raises:
        DataError: `root` is a file, cannot be written, holds other files, or was begun or
            finished for another request.
    """

    def __init__(self, root: Path, request: Request) -> None:
        self.root = root
        self.request = request
        if root.exists() and not root.is_dir():
            raise DataError(f"out must be a folder, but got out={root}, a file; name another path")
        marker = next((root / n for n in (_COMPLETE, PARTIAL) if (root / n).exists()), None)
        if marker is not None:
            self._compare(marker)
        elif root.is_dir() and any(root.iterdir()):
            raise DataError(
                f"out must be a new or empty folder, or one begun by this generator, but "
                f"got out={root}, which holds other files; name another folder"
            )
        if marker is None:
            try:
                root.mkdir(parents=True, exist_ok=True)
                write_atomically(root / PARTIAL, _to_json(asdict(request)))
            except OSError as error:
                raise DataError(
                    f"out must be a folder that can be written, but got out={root} "
                    f"({error.strerror}); name another folder"
                ) from error

    @property
    def complete(self) -> bool:
        """Whether every file has been written."""
        return (self.root / _COMPLETE).exists()

    def finish(self, labels: dict[str, Any], digest: str) -> None:
        """Write the label files (path in the folder → JSON value), then the marker.

        Args:
            labels: JSON files of the data set.
            digest: SHA-256 of all images, in the order in which `verify` will see them.
        """
        checksums = {}
        for name, value in labels.items():
            content = json.dumps(value).encode()
            write_atomically(self.root / name, content)
            checksums[name] = hashlib.sha256(content).hexdigest()
        marker = {**asdict(self.request), "labels_sha256": checksums, "images_sha256": digest}
        write_atomically(self.root / _COMPLETE, _to_json(marker))
        self._clear()

    def _clear(self) -> None:
        """Remove what says that the folder is partial, and what a kill may have left behind."""
        for path in self.root.rglob(f"*{_TEMPORARY}"):
            path.unlink(missing_ok=True)
        (self.root / PARTIAL).unlink(missing_ok=True)

    def verify(self, digest: str) -> None:
        """Check a complete folder against its marker.

        Args:
            digest: SHA-256 of all images as they are on disk now.

        Raises:
            DataError: A label file or an image is missing or is not what was written.
        """
        marker = json.loads((self.root / _COMPLETE).read_text())
        for name, checksum in marker["labels_sha256"].items():
            path = self.root / name
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
                raise self._damaged(name)
        if marker["images_sha256"] != digest:
            raise self._damaged("an image")
        if (self.root / PARTIAL).exists():  # killed between the last two steps
            self._clear()

    def _damaged(self, what: str) -> DataError:
        return DataError(
            f"out must hold the files that were generated, but got out={self.root}, where {what} "
            f"is missing or changed; delete the folder and generate it again"
        )

    def _compare(self, marker: Path) -> None:
        try:
            found = json.loads(marker.read_text())
            held = {name: found[name] for name in asdict(self.request)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"out must hold a readable {marker.name}, but got out={self.root} ({error}); "
                f"delete the folder and generate it again"
            ) from error
        asked = asdict(self.request)
        if held != asked:
            different = [name for name in asked if held[name] != asked[name]]
            told = ", ".join(f"{n}={held[n]} instead of {n}={asked[n]}" for n in different)
            raise DataError(
                f"out must hold the data set that is asked for, but got out={self.root} with "
                f"{told}; name another folder, or delete this one"
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it exists whole or not at all, also if two processes write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")
    temporary.write_bytes(content)
    try:
        temporary.replace(path)
    except FileNotFoundError:
        # Another process that makes the same data set has come to its end, and tidied up.
        if not path.exists():
            raise


def _to_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
