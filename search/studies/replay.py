"""Run recorded trials again, and say whether their metrics come out the same.

python search/replay.py results/synthetic/trials/<trial>/record.json
python search/replay.py results/synthetic --trial contrastive_T-CJ
python search/replay.py docs/study --sample 3
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from handssl import records
from handssl.allocator import keep_freed_memory
from handssl.errors import ConfigError, HandSSLError
from handssl.evaluation import DiagnosticsConfig, ProbeConfig
from handssl.records import Record
from handssl.training import PretrainConfig
from handssl.versions import versions
from search.config.renamed import upgrade_config
from search.config.schema import Config, DataConfig
from search.config.typed import from_dict
from search.space.point import point_from
from search.studies.recorded import RecordedStudy, read_recorded
from search.trials.datasets import images_of, open_data
from search.trials.execute import execute
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 if all metrics are the same, 1 if one is not, 2 if nothing could be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "study",
        help="record.json of a finished trial, or a study's folder or compact form; path or s3://…",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--trial", help="of a study: the trial's name, or how it begins")
    which.add_argument("--sample", type=int, metavar="N", help="of a study: N finished trials")
    parser.add_argument("--seed", type=int, default=0, help="other N for another seed")
    for name in ("root", "store"):
        parser.add_argument(
            f"--{name}", metavar="DIR", help=f"data.{name} here, where the recorded one is not"
        )
    parser.add_argument(
        "--other-data",
        action="store_true",
        help="run on data of another fingerprint too, as hands that were generated on another "
        "kind of processor have: the metrics come out as from another seed",
    )
    arguments = parser.parse_args(argv)
    try:
        study = read_recorded(arguments.study)
        chosen = _chosen(study, arguments.trial, arguments.sample, arguments.seed)
        options = {key: getattr(arguments, key) for key in ("root", "store", "other_data")}
        return replay(study, chosen, Console(highlight=False), **options)
    except HandSSLError as error:
        errors = Console(stderr=True, highlight=False)
        errors.print(f"refused: {error}", markup=False, soft_wrap=True)
        return 2


def _chosen(
    study: RecordedStudy, trial: str | None, sample: int | None, seed: int
) -> list[Record]:
    if trial is not None:
        return [study.named(trial)]
    if sample is not None:
        return study.sampled(sample, seed=seed)
    if len(study.records) > 1:
        raise ConfigError(
            f"one of the {len(study.records)} records of {study.uri} must be chosen; add "
            f"--trial NAME, as in --trial {min(study.records)}, or --sample N"
        )
    return list(study.records.values())


def replay(
    study: RecordedStudy,
    chosen: Sequence[Record],
    console: Console,
    *,
    root: str | None = None,
    store: str | None = None,
    other_data: bool = False,
) -> int:
    """Run trials of a study again, each in a folder of its own, and compare; the exit status.

    The raw data and its store are at `root` and `store`, or where they were. Data of another
    fingerprint are used if `other_data`.

    Raises:
        HandSSLError: A record, its study or its data cannot be used.
    """
    for record in chosen:
        _check(record)
    config = from_dict(Config, upgrade_config(study.description.config))
    data = config.data
    data = dataclasses.replace(data, root=root or data.root, store=store or data.store)
    config = dataclasses.replace(config, data=data)
    _check_data(open_data(data, console).fingerprint, chosen, data, console, other_data=other_data)
    _note_versions(chosen, console)
    keep_freed_memory()
    torch.set_num_threads(max(1, int(config.trial.cpus)))
    same = 0
    for number, record in enumerate(chosen, start=1):
        if len(chosen) > 1:
            console.print(f"{number} of {len(chosen)}: {record.trial}", markup=False)
        again = _run(record, config, console)
        equal = _compare(record.metrics, again.metrics, console)
        verdict = "[green]the same[/]" if equal else "[red]not the same[/]"
        console.print(f"{verdict}: {record.trial}", soft_wrap=True)
        same += equal
    if len(chosen) > 1:
        console.print(f"{same} of {len(chosen)} are the same")
    return 0 if same == len(chosen) else 1


def _check(record: Record) -> None:
    if record.status != "finished":
        raise ConfigError(
            f"a record must be finished to be replayed, but {record.trial} has "
            f"status={record.status}"
        )
    if record.is_transfer:
        raise ConfigError(
            f"a record must be of run_grid.py to be replayed, but {record.trial} is a row of "
            "run_transfer.py; run its study again under another study.name"
        )


def _check_data(
    fingerprint: str,
    chosen: Sequence[Record],
    data: DataConfig,
    console: Console,
    *,
    other_data: bool,
) -> None:
    for recorded in {record.data["fingerprint"]: None for record in chosen}:
        if recorded == fingerprint:
            continue
        then, now = f"(fingerprint {recorded[:12]})", f"{data.store} has {fingerprint[:12]}"
        if other_data:
            console.print(
                f"note: the data is not that of the record {then}: {now}", style="yellow"
            )
            continue
        way_out = "restore it"
        if data.name.startswith("synthetic"):
            way_out += (
                ", or, where these hands were generated on another kind of processor, whose "
                "rounding differs, add --other-data"
            )
        raise ConfigError(f"the data must be that of the record {then}, but {now}; {way_out}")


def _note_versions(chosen: Sequence[Record], console: Console) -> None:
    """Say once what is not as it was: another version may give other numbers."""
    for name, version in versions().items():
        known = (record.versions.get(name) for record in chosen)
        before = {str(then) for then in known if then is not None} - {version}
        if before:
            then = ", ".join(sorted(before))
            console.print(f"note: {name} was {then} and is {version} now", style="yellow")


def _run(record: Record, config: Config, console: Console) -> Record:
    """The record of the trial when it runs again."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            trial=_trial(record, config.data),
            metric=config.search.metric,
            directory=folder,
            scratch=folder,
            context={"data": record.data, "versions": versions()},
        )
        on_gpu = config.trial.gpus > 0 and torch.cuda.is_available()
        for report in execute(job, device="cuda" if on_gpu else "cpu"):
            if not report["done"]:
                console.print(f"epoch {report['epoch']} of {job.trial.epochs}")
        return records.read_record(Path(folder) / "record.json")


def _trial(record: Record, data: DataConfig) -> PretrainTrial:
    names = {field.name for field in dataclasses.fields(PretrainConfig)}
    pretrain = {key: value for key, value in record.config.items() if key in names}
    return PretrainTrial(
        id=record.trial,
        hash=record.hash,
        seed=record.seed,
        point=point_from(record.point),
        pretrain=from_dict(PretrainConfig, pretrain),
        probe=from_dict(ProbeConfig, record.config["probe"]),
        diagnostics=from_dict(DiagnosticsConfig, record.config["diagnostics"]),
        images=images_of(data, record.config["images"]),
    )


def _compare(
    recorded: Mapping[str, float | None], replayed: Mapping[str, float | None], console: Console
) -> bool:
    """Print both; whether every recorded metric is the same. A later version may measure more."""
    table = Table("metric", "recorded", "replayed", "")
    for name, then in recorded.items():
        now = replayed.get(name)
        table.add_row(name, f"{then}", f"{now}", "same" if then == now else "differs")
    console.print(table)
    return all(replayed.get(name, ...) == then for name, then in recorded.items())
