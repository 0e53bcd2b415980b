"""Data: raw data sets in, stores of labelled hand images out."""

from handssl.data.build import build_store
from handssl.data.datasets import DATASETS
from handssl.data.freihand import FreiHand, read_freihand
from handssl.data.interhand import InterHand, read_interhand
from handssl.data.join import join_stores
from handssl.data.joined import write_joined
from handssl.data.provide import open_or_build_store
from handssl.data.raw import Annotation, RawDataset
from handssl.data.sample import HandSample
from handssl.data.store import Store, open_store

__all__ = [
    "DATASETS",
    "Annotation",
    "FreiHand",
    "HandSample",
    "InterHand",
    "RawDataset",
    "Store",
    "build_store",
    "join_stores",
    "open_or_build_store",
    "open_store",
    "read_freihand",
    "read_interhand",
    "write_joined",
]
