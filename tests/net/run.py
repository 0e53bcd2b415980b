"""Run the net's studies with the code of a checkout, and write their results to one JSON file.

    python tests/net/run.py --checkout . --out net.json           everything: minutes on one core
    python tests/net/run.py --checkout . --out net.json --only grid --only tpe
    python tests/net/compare.py tests/net/expected.json net.json

The numbers depend on the kind of processor and on PyTorch: compare two checkouts on one machine.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import psutil
import torch

from tests.net import collect
from tests.net.names import UNUSED_OBJECTIVE_KEYS, Names, original_key
from tests.net.studies import COMMANDS, CONFIGURATIONS, STUDIES, Study

ROOT: Final = Path(__file__).resolve().parent.parent.parent
"""This checkout."""

DECIDING: Final = (
    "data.source_px",
    "data.poses",
    "data.versions",
    "data.seed",
    "data_sets.",
    "search.",
    "study.epochs",
    "study.images",
    "study.seed",
    "trial.pretrain.",
    "trial.probe.",
    "trial.diagnostics.",
    "transfer.",
)
"""Beginnings of the keys of a configuration that decide numbers."""

PRINT_CONFIGURATIONS: Final = """
import json, runpy, sys
for name, (script, *arguments) in json.loads(sys.argv[1]).items():
    sys.argv = [script, *arguments, "--cfg", "job"]
    print(f"--- # {name}", flush=True)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""
"""One process for all: importing Ray and PyTorch takes longer than composing."""


class Checkout:
    """The code of a checkout, run as a user runs it, in a folder with the data.

    Args:
        root: The checkout.
        work: Folder in which its commands run.
    """

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root.resolve()
        self.work = work
        self._names = Names(self.root)
        inherited = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
        self._environment = inherited | {
            "PYTHONPATH": str(self.root),
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Arguments in the names of this checkout."""
        return self._names.arguments(arguments)

    def script(self, name: str, *arguments: str) -> list[str]:
        """The command of a script under search/."""
        path = self.root / "search" / f"{name}.py"
        if name == "run_grid":  # the metric of ebbf542, unless the study has another
            arguments = ("search.metric.name=median_pje_cm", *arguments)
        return [sys.executable, str(path), *self.arguments(arguments)]

    def handssl(self, *arguments: str) -> list[str]:
        """The command `handssl`, as the checkout's pyproject.toml declares it."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        module, _, function = project["project"]["scripts"]["handssl"].partition(":")
        code = f"import sys; from {module} import {function}; sys.exit({function}())"
        return [sys.executable, "-c", code, *self.arguments(arguments)]

    def analysis(self, *arguments: str) -> str:
        """Run `python -m analysis`; returns its output."""
        return self.run([sys.executable, "-m", "analysis", *arguments])

    def run(self, command: Sequence[str], *, status: int | None = 0) -> str:
        """Run a command; returns its output.

        Raises:
            RuntimeError: Its exit status is not `status`, where that is given.
        """
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.work,
            env=self._environment,
            timeout=1200,
        )
        if status is not None and done.returncode != status:
            raise RuntimeError(
                f"{' '.join(command)}\nexit status {done.returncode} instead of {status}\n"
                f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            )
        return done.stdout

    def kill_after_checkpoint(self, command: Sequence[str], folder: Path) -> None:
        """Run a study until a trial has reported after its first checkpoint; kill all of it.

        Raises:
            RuntimeError: The trial ended before it could be killed.
        """
        with subprocess.Popen(
            command,
            cwd=self.work,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            driver = psutil.Process(process.pid)
            while process.poll() is None and not _reported(folder):
                time.sleep(0.01)
            family = [driver, *driver.children(recursive=True)] if driver.is_running() else []
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            psutil.wait_procs(family, timeout=3)
        interrupted = list(folder.glob("trials/*/checkpoint.pt"))
        if not interrupted or (interrupted[0].parent / "record.json").exists():
            raise RuntimeError(f"no trial of {folder} was interrupted; give it more epochs")


def _reported(folder: Path) -> bool:
    """Whether a trial of a study has written its first checkpoint and its first report."""
    logs = [path.with_name("metrics.jsonl") for path in folder.glob("trials/*/checkpoint.pt")]
    return any(path.exists() and path.stat().st_size > 0 for path in logs)


def _data(checkout: Checkout) -> dict[str, Any]:
    sets = {"freihand": ("raw", "store"), "interhand": ("raw-interhand", "store-interhand")}
    return {
        look: collect.data_set(checkout.work / raw, checkout.work / store)
        for look, (raw, store) in sets.items()
    }


def build_data(checkout: Checkout) -> None:
    """Generate both data sets, 30 poses each, and convert them to stores."""
    common = ("data", "build", "synthetic", "--poses", "30", "--processes", "1")
    if not (checkout.work / "store" / "manifest.json").exists():
        checkout.run(checkout.handssl(*common, "--root", "raw", "--out", "store"))
    if not (checkout.work / "store-interhand" / "manifest.json").exists():
        look = ("--look", "interhand", "--cameras", "2", "--name", "synthetic_interhand")
        folders = ("--root", "raw-interhand", "--out", "store-interhand")
        checkout.run(checkout.handssl(*common, *look, *folders))


def _study(checkout: Checkout, name: str, study: Study) -> dict[str, Any]:
    overrides = ("results=results", f"study.name={name}", *study.overrides)
    command = checkout.script(study.script, *overrides)
    folder = checkout.work / "results" / name
    if study.interrupted:
        checkout.kill_after_checkpoint(command, folder)
    checkout.run(command, status=study.status)
    results = collect.study(folder)
    for trial in study.replays:  # exit status 0 says that all metrics came out the same
        checkout.run(checkout.script("replay", f"results/{name}", "--trial", trial))
    return results


def _commands(checkout: Checkout) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, line in COMMANDS.items():
        said = checkout.run(checkout.handssl(*line.split()))
        if name in ("probe", "finetune", "evaluate"):
            results[name] = collect.decimals(said)
    for name in ("pretrained", "finetuned", "probed"):
        results[f"{name}.pt"] = collect.checkpoint(checkout.work / f"{name}.pt")
    (path,) = (checkout.work / "predicted").glob("*.json")
    results["predict"] = json.loads(path.read_text(encoding="utf-8"))
    return results


def _configurations(checkout: Checkout) -> dict[str, Any]:
    commands = {
        name: [str(checkout.root / "search" / f"{script}.py"), *checkout.arguments(arguments)]
        for name, line in CONFIGURATIONS.items()
        for script, *arguments in [line.split()]
    }
    text = checkout.run([sys.executable, "-c", PRINT_CONFIGURATIONS, json.dumps(commands)])
    parts = [part.partition("\n") for part in text.split("--- # ")[1:]]
    unused = {f"trial.pretrain.objective.{k}": v for k, v in UNUSED_OBJECTIVE_KEYS.items()}
    return {name: unused | dict(_deciding(printed)) for name, _, printed in parts}


def _deciding(text: str) -> Iterator[tuple[str, Any]]:
    """The values of a printed configuration that decide numbers, by their keys at ebbf542."""
    for key, value in collect.configuration(text):
        name = original_key(key)
        if name.startswith(DECIDING):
            yield name, value


def _report(checkout: Checkout) -> dict[str, Any]:
    studies = ("results/grid", "results/transfer")
    checkout.analysis(*studies, "--out", "report")
    return collect.tables(checkout.work / "report")


ITEMS: Final[dict[str, Callable[[Checkout], dict[str, Any]]]] = {
    "data": _data,
    **{
        name: lambda checkout, name=name, study=study: _study(checkout, name, study)  # type: ignore[misc]
        for name, study in STUDIES.items()
    },
    "commands": _commands,
    "configurations": _configurations,
    "report": _report,
}
"""Everything that can be run, by the name that `--only` takes."""

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {"report": ("grid", "transfer")}
"""What must be run before something."""


def machine() -> dict[str, str]:
    """What the last digits depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "model": models[0] if models else platform.processor(),
        "torch": torch.__version__.partition("+")[0],
    }


def run_net(checkout: Checkout, only: Sequence[str] = ()) -> dict[str, Any]:
    """Results of every item, or of some and what they need; an item that fails says so itself."""
    wanted = set(only or ITEMS) | {need for name in only for need in NEEDS.get(name, ())}
    build_data(checkout)
    results: dict[str, Any] = {}
    for name, item in ITEMS.items():
        if name not in wanted:
            continue
        start = time.perf_counter()
        try:
            results[name] = item(checkout)
            said = "done"
        except (RuntimeError, OSError, LookupError, TypeError, ValueError) as error:
            results[name] = {"failed": type(error).__name__}
            said = f"FAILED: {type(error).__name__} {error}"
        print(f"{name:<15} {time.perf_counter() - start:6.1f} s  {said}", flush=True)
    return results


def written(value: Any, depth: int = 0) -> str:
    """JSON with a line for each trial, report or table, so that a difference is a line."""
    if isinstance(value, dict) and depth < 3 and value:
        pad = " " * (depth + 1)
        lines = (
            f"{pad}{json.dumps(key)}: {written(item, depth + 1)}" for key, item in value.items()
        )
        return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
    return json.dumps(value, ensure_ascii=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 if everything could be run, 1 if not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkout", type=Path, default=Path(), help="folder of the code")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    parser.add_argument(
        "--only", action="append", choices=list(ITEMS), default=[], help="may be repeated"
    )
    parser.add_argument("--work", type=Path, help="keep the studies in this empty folder")
    options = parser.parse_args(argv)
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(options.checkout, (options.work or Path(folder)).resolve())
        results = run_net(checkout, options.only)
    options.out.write_text(written({"machine": machine()} | results) + "\n", encoding="utf-8")
    return int(any("failed" in item for item in results.values()))


if __name__ == "__main__":
    sys.exit(main())
