"""The raw data sets that can be read: how each is opened, recognised and described."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from handssl.data.raw.dataset import RawDataset
from handssl.data.raw.freihand import freihand_signature, read_freihand
from handssl.data.raw.interhand import interhand_signature, interhand_splits, read_interhand
from handssl.errors import ConfigError


@runtime_checkable
class _Read(Protocol):
    def __call__(
        self, root: str | Path, split: str, *, annotator: str = ..., strict: bool = ...
    ) -> RawDataset: ...


@runtime_checkable
class _Signature(Protocol):
    def __call__(
        self, root: str | Path, split: str, *, annotator: str = ...
    ) -> dict[str, str | int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One raw format.

    Attributes:
        read: Opens a split.
        signature: Describes a split's files cheaply, without reading the labels.
        present_splits: The splits for training that a folder has, given the annotator.
    """

    read: _Read
    signature: _Signature
    present_splits: Callable[[str | Path, str], tuple[str, ...]]

    def read_all(
        self, root: str | Path, splits: Sequence[str] | None, *, annotator: str, strict: bool
    ) -> list[RawDataset]:
        """A reader of each of these splits, default those for training that are present."""
        return [
            self.read(root, split, annotator=annotator, strict=strict)
            for split in splits or self.present_splits(root, annotator)
        ]


def _read_freihand(
    root: str | Path, split: str, *, annotator: str = "all", strict: bool = False
) -> RawDataset:
    del annotator
    return read_freihand(root, split, strict=strict)


def _freihand_signature(
    root: str | Path, split: str, *, annotator: str = "all"
) -> dict[str, str | int]:
    del annotator
    return freihand_signature(root, split)


DATASETS: Final[dict[str, Dataset]] = {
    "freihand": Dataset(
        read=_read_freihand,
        signature=_freihand_signature,
        present_splits=lambda _root, _annotator: ("training",),
    ),
    "interhand": Dataset(
        read=read_interhand, signature=interhand_signature, present_splits=interhand_splits
    ),
}


def dataset_of(name: str) -> Dataset:
    """Look a format up.

    Raises:
        ConfigError: There is no such format; lists those there are.
    """
    if name not in DATASETS:
        raise ConfigError(f"dataset must be one of {sorted(DATASETS)}, but got dataset={name!r}")
    return DATASETS[name]
