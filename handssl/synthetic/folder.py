"""A generated folder: its request, its progress, and a check that its files are unchanged.

`synthetic.partial.json` holds the request while files are being generated; `synthetic.json`
replaces it once all files exist. The label files are written just before that, so an unfinished
folder has images only, and the readers refuse a folder that is still partial.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from handssl.atomic import SUFFIX, atomic_path
from handssl.data.raw.dataset import PARTIAL
from handssl.errors import DataError

GENERATOR_VERSION: Final = 2
"""To be raised when the same seed gives other bytes."""

_COMPLETE: Final = "synthetic.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a generated folder contains; two folders with equal requests hold equal bytes.

    Attributes:
        domain: Data set whose layout and appearance it imitates: "freihand" or "interhand".
        seed: Seed of the data set; each pose has a generator of this seed and its number.
        counts: Named numbers and shares: poses, versions, cameras and the like.
        generator_version: Version of the code that draws.
    """

    domain: str
    seed: int
    counts: dict[str, float]
    generator_version: int = GENERATOR_VERSION


class GeneratedFolder:
    """A folder from its request to the finished data set.

    Args:
        root: The folder; made when missing.
        request: Its content.

    Raises:
        DataError: `root` is a file, cannot be written, holds other files, or has a marker of
            another request.
    """

    def __init__(self, root: Path, request: Request) -> None:
        self.root = root
        self.request = request
        if root.exists() and not root.is_dir():
            raise DataError(f"out must be a folder, but got out={root}, a file; name another path")
        for marker in (root / _COMPLETE, root / PARTIAL):
            if marker.exists():
                self._compare(marker)
                return
        if root.is_dir() and any(root.iterdir()):
            raise DataError(
                f"out must be a new or empty folder, or one begun by this generator, but "
                f"got out={root}, which holds other files; name another folder"
            )
        try:
            root.mkdir(parents=True, exist_ok=True)
            write_file(root / PARTIAL, _to_json(asdict(request)))
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
        """Write the label files (name → JSON value), then the marker with the images' SHA-256."""
        checksums = {}
        for name, value in labels.items():
            content = json.dumps(value).encode()
            write_file(self.root / name, content)
            checksums[name] = hashlib.sha256(content).hexdigest()
        marker = {**asdict(self.request), "labels_sha256": checksums, "images_sha256": digest}
        write_file(self.root / _COMPLETE, _to_json(marker))
        self._clear()

    def _clear(self) -> None:
        """Delete the marker of a partial folder and the partial files of killed processes."""
        for path in self.root.rglob(f".*{SUFFIX}.*"):
            path.unlink(missing_ok=True)
        (self.root / PARTIAL).unlink(missing_ok=True)

    def verify(self, digest: str) -> None:
        """Check a complete folder, whose images have this SHA-256, against its marker.

        Raises:
            DataError: A label file or an image is missing or changed.
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
        asked = asdict(self.request)
        try:
            recorded = json.loads(marker.read_text())
            if "look" in recorded:  # the name of `domain` in earlier versions
                recorded["domain"] = recorded.pop("look")
            existing = {name: recorded[name] for name in asked}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"out must hold a readable {marker.name}, but got out={self.root} ({error}); "
                f"delete the folder and generate it again"
            ) from error
        if differences := ", ".join(
            f"{name}={existing[name]} instead of {name}={value}"
            for name, value in asked.items()
            if existing[name] != value
        ):
            raise DataError(
                f"out must hold the data set that is asked for, but got out={self.root} with "
                f"{differences}; name another folder, or delete this one"
            )


def write_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file atomically; two processes may write the same one (see `atomic_path`)."""
    try:
        with atomic_path(path, durable=durable) as partial:
            partial.write_bytes(content)
    except FileNotFoundError:
        # Another process has finished the same data set and deleted all partial files.
        if not path.exists():
            raise


def _to_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
