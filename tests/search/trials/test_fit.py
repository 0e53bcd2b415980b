import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handssl import records
from handssl.data import open_store
from handssl.encoders import EncoderConfig, build_encoder, export_encoder
from handssl.records import OBJECTIVE, Record
from search.config.compose import compose_config
from search.config.metric import SearchMetric
from search.config.transfer import TransferStudyConfig
from search.studies.rows import RowResolver, Rows
from search.trials.execute import execute
from search.trials.fit import FitTrial
from search.trials.images import DataSetImages, Images
from search.trials.pretrain import ENCODER_FILE
from search.trials.trial import Job
from tests.search.running import record_and_rows

Make = Callable[..., Job]


@pytest.fixture(scope="module")
def rows(embedded: Path, embedded_interhand: Path, transfer_overrides: tuple[str, ...]) -> Rows:
    overrides = [*transfer_overrides, "study=table2", "transfer.rows.table2.evaluate=[IH,FH]"]
    config = compose_config(overrides, "transfer", TransferStudyConfig)
    images = {
        name: Images(stores=(f"{folder}/store",), source_px=(224,), count=60)
        for name, folder in (("FH", embedded), ("IH", embedded_interhand))
    }
    stores = {name: open_store(each.stores[0]) for name, each in images.items()}
    return RowResolver(
        transfer=config.transfer,
        trial=config.trial,
        study=config.study,
        data=DataSetImages(opened=stores, images=images, weights={}),
    ).resolve_all()


@pytest.fixture
def job(rows: Rows, tmp_path: Path) -> Make:
    """The job of a fit of a kind, with the encoder that it starts from."""
    encoder = tmp_path / "trials" / rows.pretrainings[0].id / ENCODER_FILE
    export_encoder(build_encoder(EncoderConfig(name="resnet10t")), encoder, size_px=32)

    def make(kind: str, folder: str = "trial") -> Job:
        fit = next(fit for fit in rows.fits if fit.id.startswith(kind))
        return Job(
            trial=fit,
            metric=SearchMetric(),
            directory=str(tmp_path / "trials" / folder),
            scratch=str(tmp_path / "ray"),
            context={"study": "small"},
        )

    return make


def finished(job: Job) -> Record:
    *reports, last = execute(job, device="cpu")
    assert [report["epoch"] for report in reports] == list(range(1, len(reports) + 1))
    assert (last["done"], last["status"]) == (True, "finished")
    return records.read_record(Path(job.directory) / "record.json")


@pytest.mark.parametrize(
    "kind", ["supervised", "random_frozen", "contrastive_frozen", "contrastive_unfrozen"]
)
def test_a_row_of_every_kind_ends_with_a_record_of_each_evaluation(job: Make, kind: str) -> None:
    record = finished(made := job(kind))
    assert record.transfer["fit"] == "FH"
    assert record.transfer["evaluate"] == ["IH", "FH"]
    assert list(record.evaluations) == ["IH", "FH"]
    assert record.metrics == record.evaluations["IH"]
    assert (record.metrics[OBJECTIVE] or 0) > 0
    assert record.study == "small"
    folder = Path(made.directory)
    assert not (folder / "checkpoint.pt").exists()
    for name, file in (("IH", "errors.npz"), ("FH", "errors-FH.npz")):
        with np.load(folder / file) as errors:
            median = float(np.nanmedian(errors["error_cm"]))
            assert len(errors["group"]) == len(errors["error_cm"])
        assert record.evaluations[name][OBJECTIVE] == pytest.approx(median, rel=1e-5)
    trained = "finetune" in record.config
    assert trained != ("probe" in record.config)
    assert (record.epochs > 0) == trained
    assert sum(v for k, v in record.timings_s.items() if k != "total") == pytest.approx(
        record.timings_s["total"]
    )


def test_the_layer_decay_changes_the_result_and_the_record_says_it(job: Make) -> None:
    plain = finished(job("contrastive_unfrozen_resnet10t_FH_1_r0", "plain"))
    decayed = finished(job("contrastive_unfrozen_resnet10t_FH_1_decay", "decayed"))
    assert decayed.transfer["layer_decay"] == 0.7
    assert decayed.metrics != plain.metrics


def test_a_row_that_was_stopped_continues_with_the_same_numbers(job: Make, tmp_path: Path) -> None:
    finished(job("supervised", "whole"))
    broken = job("supervised", "broken")
    list(itertools.islice(execute(broken, device="cpu"), 1))
    assert (Path(broken.directory) / "checkpoint.pt").exists()
    assert [report["epoch"] for report in execute(broken, device="cpu")] == [2, 2]
    assert record_and_rows(tmp_path / "trials/broken") == record_and_rows(
        tmp_path / "trials/whole"
    )


def test_a_checkpoint_of_results_that_were_moved_begins_anew(job: Make, tmp_path: Path) -> None:
    first = job("contrastive_unfrozen")
    list(itertools.islice(execute(first, device="cpu"), 1))
    (tmp_path / "trials").rename(tmp_path / "moved")
    finished(dataclasses.replace(first, directory=str(tmp_path / "moved" / "trial")))


def test_a_row_whose_loss_turns_non_finite_fails_with_the_reason(job: Make) -> None:
    supervised = job("supervised")
    fit = supervised.trial
    assert isinstance(fit, FitTrial)
    assert fit.finetune is not None
    hot = dataclasses.replace(fit.finetune.optimizer, base_lr=1e30)
    fit = dataclasses.replace(fit, finetune=dataclasses.replace(fit.finetune, optimizer=hot))
    reports = list(execute(dataclasses.replace(supervised, trial=fit), device="cpu"))
    assert reports[-1]["status"] == "failed"
    record = records.read_record(Path(supervised.directory) / "record.json")
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.type == "NonFiniteLossError"


def test_a_pretraining_joins_its_data_and_leaves_its_encoder(rows: Rows, tmp_path: Path) -> None:
    trial = rows.pretrainings[0]
    train = trial.images.open().split("train")
    sources = {str(group).split("/")[0] for group in train.groups}
    assert sources == {"synthetic", "synthetic_interhand"}
    pretrain = Job(
        trial=trial,
        metric=SearchMetric(),
        directory=str(tmp_path / "trial"),
        scratch=str(tmp_path / "ray"),
        context={},
    )
    assert list(execute(pretrain, device="cpu"))[-1]["status"] == "finished"
    record = records.read_record(tmp_path / "trial" / "record.json")
    assert record.transfer["mode"] == "pretrain"
    weights = str(tmp_path / "trial" / ENCODER_FILE)
    build_encoder(EncoderConfig(name="resnet10t", weights=weights))
