from pathlib import Path

import pytest

from handssl.data import open_store
from search.trials.images import DataSetImages, Images


@pytest.fixture
def images(embedded: Path, embedded_interhand: Path) -> dict[str, Images]:
    folders = {"FH": embedded, "IH": embedded_interhand}
    return {
        name: Images(stores=(f"{folder}/store",), source_px=(224,), count=20)
        for name, folder in folders.items()
    }


def test_images_are_the_first_of_a_store_and_stay_open(images: dict[str, Images]) -> None:
    store = images["FH"].open()
    assert len(store) == 20
    assert images["FH"].open() is store


def test_several_data_sets_are_joined_by_their_weights(images: dict[str, Images]) -> None:
    opened = {name: open_store(each.stores[0], source_px=224) for name, each in images.items()}
    data = DataSetImages(opened=opened, images=images, weights={"FH": 0.25, "IH": 0.75})
    joined = data.images_of(["FH", "IH"])
    assert (joined.weights, data.images_of(["FH"]).weights) == ((0.25, 0.75), None)
    assert data.store_of(["FH", "IH"]) is data.stores[joined]
    assert data.store_of(["FH", "IH"]).fingerprint == joined.open().fingerprint
