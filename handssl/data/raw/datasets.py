"""The formats of raw data sets that can be read, and a description of one raw folder."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from handssl.data.raw.dataset import RawDataset
from handssl.data.raw.freihand import freihand_signature, read_freihand
from handssl.data.raw.interhand import interhand_signature, interhand_splits, read_interhand
from handssl.errors import ConfigError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFormat:
    """One raw format.

    Attributes:
        read: Opens a split: (root, split, *, strict), and annotator where there are several.
        signature: Checksums and counts of a split's files, without reading the labels.
        training_splits: The splits for training and validation in a folder.
        has_annotators: Whether the format has several sets of labels to choose from.
    """

    read: Callable[..., RawDataset]
    signature: Callable[..., dict[str, str | int]]
    training_splits: Callable[..., tuple[str, ...]]
    has_annotators: bool = False


DATASETS: Final[dict[str, RawFormat]] = {
    "freihand": RawFormat(
        read=read_freihand,
        signature=freihand_signature,
        training_splits=lambda _root: ("training",),
    ),
    "interhand": RawFormat(
        read=read_interhand,
        signature=interhand_signature,
        training_splits=interhand_splits,
        has_annotators=True,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFolder:
    """A raw data set on disk, and the part of it to convert.

    Attributes:
        root: The folder; it is only read.
        dataset: Its format, a key of `DATASETS`.
        splits: Raw splits; default FreiHAND's training, InterHand's train and val.
        annotator: InterHand's set of labels in its v0 layout; "all" for every other format.
        strict: Refuse unusable samples instead of skipping them.

    Raises:
        ConfigError: Unknown format, or an annotator for a format without annotators.
    """

    root: str | Path
    dataset: str = "freihand"
    splits: Sequence[str] | None = None
    annotator: str = "all"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            raise ConfigError(
                f"dataset must be one of {sorted(DATASETS)}, but got dataset={self.dataset!r}"
            )
        if self.annotator != "all" and not DATASETS[self.dataset].has_annotators:
            raise ConfigError(
                f"annotator must be all for dataset={self.dataset}, but got "
                f"annotator={self.annotator!r}"
            )

    def readers(self) -> list[RawDataset]:
        """A reader of each split."""
        return list(self._of_splits(partial(DATASETS[self.dataset].read, strict=self.strict)))

    def signature(self) -> dict[str, str | int]:
        """The signatures of all splits in one dict; equal to those of the readers."""
        parts = self._of_splits(DATASETS[self.dataset].signature)
        return {key: value for part in parts for key, value in part.items()}

    def _of_splits(self, function: Callable[..., Result]) -> Iterator[Result]:
        """Results of (root, split), and annotator where it is set, for each split."""
        options = {} if self.annotator == "all" else {"annotator": self.annotator}
        splits = self.splits or DATASETS[self.dataset].training_splits(self.root, **options)
        return (function(self.root, split, **options) for split in splits)
