import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from handssl.data import Store, open_store
from handssl.errors import ConfigError
from search.config.compose import compose_config
from search.config.transfer import TransferStudyConfig
from search.studies.rows import RowResolver, Rows
from search.studies.transfer import parameters_among
from search.trials.images import DataSetImages, Images

Make = Callable[..., Rows]


@pytest.fixture(scope="module")
def stores(embedded: Path, embedded_interhand: Path) -> dict[str, Store]:
    paths = {"FH": embedded, "IH": embedded_interhand}
    return {name: open_store(path / "store").take(60) for name, path in paths.items()}


@pytest.fixture
def planned(stores: dict[str, Store], transfer_overrides: tuple[str, ...]) -> Make:
    def make(*overrides: str) -> Rows:
        config = compose_config([*transfer_overrides, *overrides], "transfer", TransferStudyConfig)
        return rows_of(config, stores)

    return make


def images_of(stores: dict[str, Store], weights: Mapping[str, float]) -> DataSetImages:
    images = {name: Images(stores=(name,), source_px=(224,), count=60) for name in stores}
    return DataSetImages(opened=stores, images=images, weights=weights)


def rows_of(config: TransferStudyConfig, stores: dict[str, Store]) -> Rows:
    return RowResolver(
        transfer=config.transfer,
        trial=config.trial,
        study=config.study,
        data=images_of(stores, config.transfer.weights),
    ).resolve_all()


def names(plan: Rows) -> list[str]:
    return [trial.id.rpartition("_")[0] for trial in plan.trials]


def test_table_2_is_one_pretraining_and_its_rows(planned: Make) -> None:
    assert names(planned("study=table2")) == [
        "pretrain_contrastive_resnet10t_FH+IH_r0",
        "supervised_resnet10t_FH_1_r0",
        "random_frozen_resnet10t_FH_1_r0",
        "contrastive_frozen_resnet10t_FH_1_r0",
        "contrastive_unfrozen_resnet10t_FH_1_r0",
        "contrastive_unfrozen_resnet10t_FH_1_decay0.7_r0",
    ]


def test_tables_3_and_4_share_pretraining_and_fits(planned: Make) -> None:
    plan = planned("study=tables")
    hrnet = [own for own in plan.pretrainings if "hrnet" in own.id]
    assert len(hrnet) == 1
    fits = [fit for fit in plan.fits if "hrnet" in fit.encoder.name]
    assert len(fits) == 2 * len(("supervised", "random frozen", "unfrozen"))
    assert {frozenset(fit.evaluate) for fit in fits} == {frozenset(("FH", "IH"))}
    assert len({trial.hash for trial in plan.trials}) == len(plan.trials)
    assert len({trial.id for trial in plan.trials}) == len(plan.trials)


def test_rows_of_one_repeat_see_the_same_labels(planned: Make) -> None:
    plan = planned("study=lowshot")
    by_repeat: dict[int, set[int]] = {}
    for fit in plan.fits:
        by_repeat.setdefault(fit.point.repeat, set()).add(fit.seed)
    assert [len(seeds) for seeds in by_repeat.values()] == [1, 1, 1]
    assert len(set.union(*by_repeat.values())) == 3


def test_a_repeat_takes_the_pretraining_of_its_number_beginning_anew(planned: Make) -> None:
    plan = planned("study=lowshot", "transfer.pretrain_repeats=2")
    used = {
        fit.point.repeat: fit.pretraining
        for fit in plan.fits
        if fit.point.objective == "relative" and fit.probe
    }
    assert used[0] == used[2] != used[1]


def test_with_few_labels_a_row_passes_over_them_more_often(planned: Make) -> None:
    plan = planned("study=lowshot", "transfer.min_steps=12")
    epochs = {
        fit.finetune.label_fraction: fit.finetune.epochs for fit in plan.fits if fit.finetune
    }
    assert epochs == {0.01: 12, 0.1: 12, 1.0: 3}
    few = next(fit.finetune for fit in plan.fits if fit.finetune)
    assert few.label_fraction == 0.01
    assert few.checkpoint_every == 6  # as many checkpoints as with all labels: two


def test_imagenet_rows_are_there_where_asked_for(planned: Make) -> None:
    assert "imagenet" not in " ".join(names(planned("study=table2")))
    asked = names(planned("study=table2", "transfer.imagenet=true"))
    assert {name.split("_resnet")[0] for name in asked} >= {"imagenet_frozen", "imagenet_unfrozen"}


def test_an_encoder_by_any_other_data_is_another_pretraining(planned: Make) -> None:
    both = planned("study=table2").pretrainings[0]
    one = planned("study=table2", "+transfer.rows.table2.pretrain=[IH]").pretrainings[0]
    shared = planned("study=table2", "+transfer.weights={FH: 0.3, IH: 0.7}").pretrainings[0]
    assert len({own.hash for own in (both, one, shared)}) == 3
    assert one.transfer["pretrain"] == "IH"


def test_shares_decide_what_an_epoch_of_pretraining_sees(stores: dict[str, Store]) -> None:
    images = images_of(stores, {"FH": 0.25, "IH": 0.75})
    store = images.store_of(["FH", "IH"])
    train = store.split("train")
    ours = sum(group.startswith("synthetic/") for group in train.groups)
    assert ours / len(train) == pytest.approx(0.25, abs=0.02)
    assert images.images_of(["FH", "IH"]).weights == (0.25, 0.75)
    assert images.images_of(["FH"]).weights is None
    assert images.store_of(["FH", "IH"]) is store


def test_a_kind_of_pretraining_has_keys_of_its_own(planned: Make) -> None:
    key = "transfer.pretrained.contrastive.pretrain"
    rate = 7e-3
    own, other = (
        planned("study=table2", f"{key}.optimizer.base_lr={rate}"),
        planned("study=table2"),
    )
    (ours,), (theirs,) = own.pretrainings, other.pretrainings
    assert ours.pretrain.optimizer.base_lr == rate != theirs.pretrain.optimizer.base_lr
    assert ours.hash != theirs.hash
    with pytest.raises(ConfigError, match=r"pretrained\.contrastive: .*but got rate"):
        planned("study=table2", f"{key}.optimizer.rate=1")


def test_settings_of_repeats_are_equal_and_those_of_rows_are_not(planned: Make) -> None:
    plan = planned("study=lowshot")
    own = [fit for fit in plan.fits if fit.finetune and fit.point.objective == "contrastive"]
    settings = [str(fit.config) for fit in own]
    assert len(settings) == 9
    assert len(set(settings)) == 3


def test_a_study_without_rows_is_refused(stores: dict[str, Store]) -> None:
    with pytest.raises(ConfigError, match=r"transfer\.rows must name at least one group"):
        rows_of(TransferStudyConfig(), stores)


def test_the_optuna_study_tells_all_rows_apart_and_refuses_others(planned: Make) -> None:
    plan = planned("study=tables")
    of = parameters_among(plan.trials)
    shown = [
        (tuple(sorted(of(trial.point)[0].items())), trial.point.repeat) for trial in plan.trials
    ]
    assert len(set(shown)) == len(plan.trials)
    strange = dataclasses.replace(plan.trials[0].point, objective="care")
    with pytest.raises(ValueError, match="no trial has objective=care"):
        of(strange)
