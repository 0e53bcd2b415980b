"""Run one recorded trial again, and say whether its metrics come out the same.

python search/replay.py results/embedded/trials/<trial>/record.json
"""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from handssl.errors import ConfigError, HandSSLError
from handssl.evaluation import DiagnosticsConfig, ProbeConfig
from handssl.training import PretrainConfig
from search import records
from search.compose import typed
from search.config import Config
from search.datasets import open_data
from search.records import Record
from search.stores import local_store
from search.trial import TrialJob, run
from search.trials import Trial, point_from

__all__ = ["main", "replay"]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 if all metrics are the same, 1 if one is not, 2 if nothing could be run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="the record.json of a finished trial")
    arguments = parser.parse_args(argv)
    console = Console(highlight=False)
    try:
        return replay(arguments.record, console)
    except HandSSLError as error:
        Console(stderr=True, highlight=False).print(
            f"refused: {error}", markup=False, soft_wrap=True
        )
        return 2


def replay(path: Path, console: Console) -> int:
    """Run the trial of a record in a folder of its own and compare.

    Raises:
        HandSSLError: The record, its study or its data cannot be used.
    """
    record = records.read_record(path)
    if record["status"] != "finished":
        raise ConfigError(
            f"a record must be finished to be replayed, but {path} has status={record['status']}"
        )
    if "transfer" in record["config"]:
        raise ConfigError(
            f"a record must be of run_grid.py to be replayed, but {path} is a row of "
            "run_transfer.py; run its study again under another study.name"
        )
    study = records.read_record(path.parents[2] / "study.json")
    config = typed(Config, study["config"])
    store = open_data(config.data, console)
    if store.fingerprint != record["data"]["fingerprint"]:
        raise ConfigError(
            f"the data must be that of the record (fingerprint "
            f"{record['data']['fingerprint'][:12]}), but {config.data.store} has "
            f"{store.fingerprint[:12]}; restore it"
        )
    for name, version in records.versions().items():
        if record["versions"].get(name) != version:
            then = record["versions"].get(name)
            console.print(f"note: {name} was {then} and is {version} now", style="yellow")
    torch.set_num_threads(max(1, int(config.trial.cpus)))
    with tempfile.TemporaryDirectory() as folder:
        job = _job(record, config, Path(folder))
        on_gpu = config.trial.gpus > 0 and torch.cuda.is_available()
        for report in run(job, device="cuda" if on_gpu else "cpu"):
            if not report["done"]:
                console.print(f"epoch {report['epoch']} of {job.trial.pretrain.epochs}")
        again = records.read_record(Path(folder) / "record.json")
    same = _compare(record["metrics"], again["metrics"], console)
    console.print(f"[green]the same[/]: {record['trial']}" if same else "[red]not the same[/]")
    return 0 if same else 1


def _job(record: Record, config: Config, folder: Path) -> TrialJob:
    names = {field.name for field in dataclasses.fields(PretrainConfig)}
    pretrain = {key: value for key, value in record["config"].items() if key in names}
    return TrialJob(
        trial=Trial(
            id=record["trial"],
            hash=record["hash"],
            seed=record["seed"],
            point=point_from(record["point"]),
            pretrain=typed(PretrainConfig, pretrain),
        ),
        probe=typed(ProbeConfig, record["config"]["probe"]),
        diagnostics=typed(DiagnosticsConfig, record["config"]["diagnostics"]),
        metric=config.search.metric,
        rungs=(),
        may_stop=False,
        store=str(local_store(config.data.store)),
        source_px=config.data.source_px,
        images=record["config"]["images"],
        directory=str(folder),
        scratch=str(folder),
        keep_encoder=False,
        context={"data": record["data"], "versions": records.versions()},
    )


def _compare(
    recorded: Mapping[str, float], replayed: Mapping[str, float], console: Console
) -> bool:
    table = Table("metric", "recorded", "replayed", "")
    for name in {**recorded, **replayed}:
        then, now = recorded.get(name), replayed.get(name)
        table.add_row(name, f"{then}", f"{now}", "same" if then == now else "differs")
    console.print(table)
    return recorded == replayed


if __name__ == "__main__":
    sys.exit(main())
