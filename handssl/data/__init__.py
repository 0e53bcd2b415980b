"""Raw data sets in, stores of labelled hand images out."""

from handssl.data.raw.dataset import Annotation, RawDataset
from handssl.data.raw.datasets import DATASETS, RawFolder
from handssl.data.raw.freihand import FreiHand, read_freihand
from handssl.data.raw.interhand import InterHand, read_interhand
from handssl.data.sample import HandSample
from handssl.data.store.build import build_store
from handssl.data.store.join import join_stores
from handssl.data.store.open import open_store, write_joined
from handssl.data.store.open_or_build import open_or_build_store
from handssl.data.store.options import StoreOptions
from handssl.data.store.store import Store

__all__ = [
    "DATASETS",
    "Annotation",
    "FreiHand",
    "HandSample",
    "InterHand",
    "RawDataset",
    "RawFolder",
    "Store",
    "StoreOptions",
    "build_store",
    "join_stores",
    "open_or_build_store",
    "open_store",
    "read_freihand",
    "read_interhand",
    "write_joined",
]
