import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from handssl.data import (
    RawFolder,
    StoreOptions,
    open_or_build_store,
    open_store,
    read_freihand,
    write_joined,
)
from handssl.errors import DataError
from handssl.synthetic import generate_interhand
from search.config.compose import compose_config
from search.trials.datasets import open_data


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


def test_boxes_may_come_from_a_file(embedded: Path, tmp_path: Path, console: Console) -> None:
    ids = [a.source_id for a in read_freihand(embedded / "raw").annotations()]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({source_id: [50, 60, 100, 80] for source_id in ids}))
    overrides = ["data=freihand", f"data.root={embedded}/raw", f"data.store={tmp_path}/store"]
    config = compose_config([*overrides, "data.boxes=file", f"data.boxes_file={path}"])
    store = open_data(config.data, console)
    np.testing.assert_allclose(store.centre_px, np.broadcast_to([99.5, 99.5], (len(store), 2)))
    np.testing.assert_allclose(store.side_px, 125)
    assert store.info["boxes"] == "file"
    path.write_text(path.read_text().replace("100", "90"))
    with pytest.raises(DataError, match="boxes_digest"):
        open_data(config.data, console)


def test_a_combined_store_is_one_data_set(
    embedded: Path, tmp_path: Path, console: Console
) -> None:
    generate_interhand(tmp_path / "raw", poses=4, cameras=2, workers=1)
    raw = RawFolder(root=tmp_path / "raw", dataset="interhand")
    open_or_build_store(raw, tmp_path / "ih", StoreOptions(boxes="centre"), processes=1)
    members = [embedded / "store", tmp_path / "ih"]
    write_joined(tmp_path / "both", members, weights=[0.5, 0.5])
    config = compose_config(["data=joined", f"data.store={tmp_path}/both"])
    store = open_data(config.data, console)
    assert store.fingerprint == open_store(config.data.store).fingerprint
    trained = [group.split("/")[0] for group in store.split("train").groups.tolist()]
    assert trained.count("synthetic") == trained.count("interhand") == len(trained) / 2
    assert store.info["boxes"] == "joints+centre"
