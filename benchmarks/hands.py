"""Embedded hands to measure on: generated once under `data/`, kept for the next run."""

from rich.console import Console

from benchmarks.figure import ROOT
from handssl.data import Store
from search.config.schema import DataConfig
from search.trials.datasets import open_data

POSES = {False: 120, True: 30}
"""Poses of four images each, in full and for --quick."""


def data_config(*, quick: bool, poses: int | None = None) -> DataConfig:
    """Where the images are, as a study is told; by default with the usual number of poses."""
    poses = poses or POSES[quick]
    folder = ROOT / "data" / f"benchmark-{poses}"
    return DataConfig(root=str(folder / "raw"), store=str(folder / "store"), poses=poses, seed=0)


def embedded(*, quick: bool, poses: int | None = None) -> Store:
    """The store; both splits."""
    return open_data(data_config(quick=quick, poses=poses), Console(stderr=True))
