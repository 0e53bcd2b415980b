import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from handssl.data import Store, join_stores, open_store
from handssl.errors import ConfigError


@pytest.fixture
def pair(members: list[Path]) -> tuple[Store, Store]:
    first, second = (open_store(path, source_px=48) for path in members)
    return first, second


def test_a_joined_store_has_every_row_once(pair: tuple[Store, Store]) -> None:
    joined = join_stores(pair)
    assert len(joined) == len(pair[0]) + len(pair[1]) == 52
    rows = [sample for store in pair for sample in store]
    for joined_sample, sample in zip(joined, rows, strict=True):
        np.testing.assert_array_equal(joined_sample.image, sample.image)
        np.testing.assert_array_equal(joined_sample.joints_m, sample.joints_m)
        assert joined_sample.group.endswith(sample.group)
    assert joined.info["counts"]["images"] == 52
    assert joined.info["name"] == "freihand+interhand"
    assert joined.fingerprint not in {store.fingerprint for store in pair}
    train, val = joined.split("train"), joined.split("val")
    assert not set(train.groups.tolist()) & set(val.groups.tolist())


def test_batches_mix_members(pair: tuple[Store, Store]) -> None:
    train = join_stores(pair).split("train")
    rows = np.array([len(train) - 1, 0, 3])
    batch = train.batch(rows).numpy()
    for pixels, row in zip(batch, rows, strict=True):
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), train[int(row)].image)
    assert batch.shape == (3, 3, 48, 48)


def test_weights_apply_to_training_rows_and_not_to_validation(pair: tuple[Store, Store]) -> None:
    joined = join_stores(pair, weights=(0.25, 0.75))
    train = joined.split("train")
    total = sum(len(store.split("train")) for store in pair)
    assert len(train) == total
    by_member = Counter(group.split("/")[0] for group in train.groups.tolist())
    assert by_member["freihand"] == round(0.25 * total)
    assert by_member["interhand"] == round(0.75 * total)
    repeats = Counter(s for s in train.source_ids.tolist() if s.startswith("interhand"))
    assert max(repeats.values()) - min(repeats.values()) <= 1
    assert len(joined.split("val")) == sum(len(store.split("val")) for store in pair)
    assert joined.info["weights"] == {"freihand": 0.25, "interhand": 0.75}


def test_a_part_of_a_joined_store_keeps_the_ratio_of_its_members(
    pair: tuple[Store, Store],
) -> None:
    joined = join_stores(pair, weights=(0.5, 0.5))
    part = joined.take(40)
    assert 30 <= len(part) < len(joined)
    for split in ("train", "val"):
        whole, taken = (
            Counter(group.split("/")[0] for group in store.split(split).groups.tolist())
            for store in (joined, part)
        )
        assert taken.keys() == whole.keys() == {"freihand", "interhand"}
    by_member = Counter(group.split("/")[0] for group in part.split("train").groups.tolist())
    assert abs(by_member["freihand"] - by_member["interhand"]) <= 6


def test_a_joined_store_survives_pickling(pair: tuple[Store, Store]) -> None:
    part = join_stores(pair, weights=(0.5, 0.5)).split("train").take(12)
    copy = pickle.loads(pickle.dumps(part))
    assert copy.fingerprint == part.fingerprint
    np.testing.assert_array_equal(copy.batch(np.arange(4)), part.batch(np.arange(4)))


def test_stores_or_weights_that_do_not_fit_together_are_refused(pair: tuple[Store, Store]) -> None:
    with pytest.raises(ConfigError, match="different names"):
        join_stores([pair[0], pair[0]])
    with pytest.raises(ConfigError, match="different names"):
        join_stores(pair[:1])
    for weights in ((0.5,), (0.7, 0.7), (1.0, 0.0)):
        with pytest.raises(ConfigError, match="weights="):
            join_stores(pair, weights=weights)
