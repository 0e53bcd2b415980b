"""What a trial sees: a few images and a pair of views of each, as one picture."""

import numpy as np
import torch
from numpy.typing import NDArray

from handssl.augment import Composition, make_views
from handssl.data import Store
from handssl.training import PretrainConfig

_IMAGES = 4


def view_sheet(pretrain: PretrainConfig, store: Store, *, seed: int = 0) -> NDArray[np.uint8]:
    """(3 S, n S, 3) uint8: n images spread over the store, and below each a pair of its views.

    Args:
        pretrain: Whose composition and size S.
        store: The images.
        seed: Of the views; not those of any training step.
    """
    rows = np.linspace(0, len(store) - 1, min(_IMAGES, len(store))).astype(np.int64)
    generator = torch.Generator().manual_seed(seed)
    composition = pretrain.parsed_composition()
    second = composition.second or composition
    strips = [
        make_views(
            store.batch(rows),
            own,
            generator,
            size=pretrain.size_px,
            centre_px=torch.from_numpy(store.centre_px[rows]),
            side_px=torch.from_numpy(store.side_px[rows]),
        ).images
        for own in (Composition.parse(""), composition, second)
    ]
    pixels = (torch.stack(strips).clamp(0, 1) * 255).round().byte()  # (3, n, 3, S, S)
    sheet: NDArray[np.uint8] = pixels.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1).numpy()
    return sheet
