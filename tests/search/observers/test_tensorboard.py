from pathlib import Path

import numpy as np

from handssl.data import open_store
from handssl.training import OptimizerConfig, PretrainConfig
from search.observers.tensorboard import view_sheet


def pretrain(composition: str) -> PretrainConfig:
    return PretrainConfig(
        composition=composition, size_px=48, optimizer=OptimizerConfig(warmup_epochs=0.0)
    )


def test_a_sheet_has_the_images_and_two_different_views_of_each(embedded: Path) -> None:
    store = open_store(embedded / "store")
    sheet = view_sheet(pretrain("T+Ro"), store).astype(int)
    assert sheet.shape == (3 * 48, 4 * 48, 3)
    images, first, second = sheet[:48], sheet[48:96], sheet[96:]
    for a, b in ((images, first), (images, second), (first, second)):
        assert np.abs(a - b).mean() > 2
    again = view_sheet(pretrain("CJ"), store).astype(int)
    assert np.array_equal(again[:48], images)
    # Colour jitter moves nothing: what is dark stays where it is.
    assert np.corrcoef(again[48:96].mean(-1).ravel(), images.mean(-1).ravel())[0, 1] > 0.8


def test_the_two_views_of_a_pair_may_have_compositions_of_their_own(embedded: Path) -> None:
    sheet = view_sheet(pretrain("T+CJ/"), open_store(embedded / "store"))
    assert np.array_equal(sheet[96:], sheet[:48])
    assert not np.array_equal(sheet[48:96], sheet[:48])
