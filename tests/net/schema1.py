"""The fixture of schema 1: its commands, and a copy of it in which they can be run.

    python tests/net/schema1.py --checkout DIR     write the fixture anew; DIR has ebbf542

A checkpoint of even the smallest encoder has 0.1 million weights and two moments of each, which do
not compress. So its tensors are rounded coarsely: weights to powers of two, first moments to one
magnitude a tensor, second moments to their mean. Whoever continues starts from these, and
`expected.json` is what revision ebbf542 makes of them.
"""

import argparse
import json
import lzma
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from tests.net import collect
from tests.net.run import ROOT, Checkout, machine, written

FIXTURE: Final = ROOT / "tests" / "fixtures" / "schema1"

STUDY: Final = (
    "results=results",
    "study.name=search",
    "data.root=raw",
    "data.store=store",
    "data.poses=10",
    "data.versions=2",
    "study.epochs=2",
    "study.seed=27",  # with a pruned and a diverging trial among the first five
    "search.kind=tpe",
    "search.concurrent=1",
    "search.early_stopping={name: asha, grace_epochs: 1, reduction: 2}",
    "search.objectives.hot={name: contrastive, pretrain: {optimizer: {name: adam, base_lr: 1e30, "
    "warmup_epochs: 0}}}",
    "search.space.objective.temperature={low: 0.1, high: 1.0, log: true}",
    "search.second_stage.seeds=1",
    "trial.pretrain.encoder.name=timm:test_efficientnet",
    "trial.pretrain.objective.hidden_dim=16",
    "trial.pretrain.objective.projection_dim=8",
    "trial.pretrain.size_px=32",
    "trial.pretrain.batch_size=8",
    "trial.probe.augmented_passes=1",
    "cluster.cpus=1",
    "cluster.dashboard=false",
)
"""A sampled search with early stopping; some of its trials diverge."""

BEGUN: Final = ("search.trials=5",)
"""Of the run whose records, table and Optuna study the fixture has."""

CONTINUED: Final = ("search.trials=7", "search.second_stage.best=1")
"""Of the run that was killed in its first new trial, and that is to be run again."""

TRANSFER: Final = (
    "results=results",
    "study=table2",
    "study.name=transfer",
    "study.epochs=1",
    "data_sets.FH.root=raw",
    "data_sets.FH.store=store",
    "data_sets.FH.poses=10",
    "data_sets.FH.versions=2",
    "data_sets.IH.root=raw-interhand",
    "data_sets.IH.store=store-interhand",
    "data_sets.IH.poses=20",
    "data_sets.IH.versions=2",
    "trial.pretrain.batch_size=8",
    "trial.pretrain.optimizer.warmup_epochs=0",
    "trial.probe.augmented_passes=1",
    "transfer.finetune={epochs: 1, batch_size: 8}",
    "transfer.least_steps=1",
    "transfer.pretrain_repeats=1",
    "transfer.rows.table2.layer_decays=[1.0]",
    "transfer.rows.table2.floors=[random]",
    "cluster.cpus=1",
    "cluster.dashboard=false",
)
"""Table 2's rows: supervised, random and pretrained frozen, pretrained unfrozen."""

NOT_KEPT: Final = ("tensorboard", "ray", ".lock", "encoder.safetensors", "checkpoint.pt")


def unpacked(folder: Path, name: str = "") -> Path:
    """A copy of the fixture, or of one of its folders, with its .xz files unpacked."""
    shutil.copytree(FIXTURE / name, folder, dirs_exist_ok=True)
    for path in list(folder.rglob("*.xz")):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        path.unlink()
    return folder


def make(root: Path, fixture: Path) -> None:
    """Run the commands with the code of a checkout, and write the fixture from what they leave."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        checkout = Checkout(root, work)
        study = work / "results" / "search"
        checkout.run(checkout.script("run_grid", *STUDY, *BEGUN), status=1)
        _make_public(study, root.resolve())
        interrupted = _interrupt(checkout, study)
        checkpoint = interrupted / "checkpoint.pt"
        torch.save(_rounded(torch.load(checkpoint, weights_only=True)), checkpoint)
        shutil.rmtree(fixture / "results", ignore_errors=True)
        for part in ("raw", "store"):
            shutil.rmtree(fixture / part, ignore_errors=True)
            shutil.copytree(work / part, fixture / part, ignore=_ignored("decoded"))
        shutil.copytree(study, fixture / "results" / "search", ignore=_ignored(*NOT_KEPT))
        for path in (study / "optuna.db", checkpoint):
            packed = fixture / path.relative_to(work).with_name(f"{path.name}.xz")
            packed.write_bytes(lzma.compress(path.read_bytes(), preset=9))
        (fixture / "results" / "search" / "optuna.db").unlink()

        checkout.run(checkout.script("run_transfer", *TRANSFER))
        transfer = fixture / "results" / "transfer"
        ignored = _ignored(*NOT_KEPT, "optuna.db", "*.jsonl", "*.parquet")
        shutil.copytree(work / "results" / "transfer", transfer, ignore=ignored)
        for part in ("search", "transfer"):
            shutil.rmtree(fixture / f"compact-{part}", ignore_errors=True)
            checkout.analysis(f"results/{part}", "--compact", f"compact-{part}")
            shutil.copytree(work / f"compact-{part}", fixture / f"compact-{part}")
        checkout.run(checkout.script("run_grid", *STUDY, *CONTINUED), status=1)
        results = {"machine": machine(), "search": collect.study(study)}
    (fixture / "expected.json").write_text(written(results) + "\n", encoding="utf-8")


def _interrupt(checkout: Checkout, study: Path) -> Path:
    """Kill the longer run after its first new trial's first epoch; the trial's folder."""
    before = study.with_name("before")
    study.rename(before)
    for _ in range(20):
        shutil.rmtree(study, ignore_errors=True)
        shutil.copytree(before, study)
        checkout.kill_after_checkpoint(checkout.script("run_grid", *STUDY, *CONTINUED), study)
        (checkpoint,) = study.glob("trials/*/checkpoint.pt")
        lines = (checkpoint.parent / "metrics.jsonl").read_text().splitlines()
        if len(lines) == 1 and not list(study.rglob("*-journal")):
            shutil.rmtree(before)
            return checkpoint.parent
    raise RuntimeError("the trial could not be interrupted after its first epoch")


def _ignored(*names: str) -> Any:
    return shutil.ignore_patterns(*names)


def _make_public(study: Path, root: Path) -> None:
    """Take this machine's paths out of the tracebacks of records and table."""
    for path in study.glob("trials/*/record.json"):
        record = json.loads(path.read_text())
        if record["error"]:
            record["error"]["traceback"] = _without_paths(record["error"]["traceback"], root)
            path.write_text(json.dumps(record, indent=1) + "\n")
    path = study / "trials.parquet"
    table = pq.read_table(path)
    name = "error.traceback"
    texts = [text and _without_paths(text, root) for text in table[name].to_pylist()]
    index = table.column_names.index(name)
    pq.write_table(table.set_column(index, name, pa.array(texts)), path)


def _without_paths(text: str, root: Path) -> str:
    """File names relative to the checkout, and packages' relative to their folder."""
    text = text.replace(f"{root}/", "")
    return re.sub(r'File "/[^"]*?/(?:site-packages|python3\.\d+)/', 'File "', text)


def _rounded(content: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint whose tensors take few values."""
    rounded: dict[str, Any] = _each_tensor(content, _to_power_of_two)
    states = content["optimizer"]["state"]
    for index, state in states.items():
        for name in ("exp_avg", "exp_avg_sq"):
            moment = state[name]
            size = torch.exp2(moment.abs().mean().log2().round()) if moment.any() else 0.0
            signs = moment.sign() if name == "exp_avg" else torch.ones_like(moment)
            rounded["optimizer"]["state"][index][name] = signs * size
    return rounded


def _to_power_of_two(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.ndim == 0:
        return tensor
    return torch.where(tensor == 0, tensor, tensor.sign() * tensor.abs().log2().round().exp2())


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_tensor(item, change) for key, item in value.items()}
    return [_each_tensor(item, change) for item in value] if isinstance(value, list) else value


def main() -> None:
    """Write the fixture anew."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkout", type=Path, required=True, help="folder of ebbf542")
    make(parser.parse_args().checkout, FIXTURE)


if __name__ == "__main__":
    main()
