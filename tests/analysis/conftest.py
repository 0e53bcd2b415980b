"""Record folders with planted effects, written exactly as the search writes them.

`StudyMaker` writes a study whose median error is a known function of composition, objective and
hyperparameters, so that every statistic has a true answer.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.grid import Grid, arrange
from analysis.notation import PAPER_ROWS
from analysis.reading import read_study
from analysis.records import Study

EFFECTS = {"T": -2.0, "CJ": -1.0, "S": -3.0, "Ro": 1.5}
"""Planted change of the median error by each augmentation, cm; T and S together add -0.5."""


def planted_median(composition: str, objective: str) -> float:
    """The true median error of a cell, cm; relative is 4 cm worse everywhere."""
    tokens = composition.split("+")
    value = 20.0 + sum(EFFECTS.get(token, 0.0) for token in tokens)
    value -= 0.5 if {"T", "S"} <= set(tokens) else 0.0
    return value + (4.0 if objective == "relative" else 0.0)


@dataclass
class StudyMaker:
    """Writes one study's folder, trial by trial."""

    folder: Path
    name: str = "embedded"
    images_val: int = 60
    evidence: bool = False
    clock: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    plan: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def read(self) -> Study:
        """Write `study.json` and read the study."""
        self.write_study()
        return read_study(str(self.folder))

    def grid(self) -> Grid:
        """Write `study.json` and arrange the records."""
        return arrange([self.read()])

    def write_study(self, **changes: Any) -> Path:
        """Writes study.json; the plan holds what was added so far."""
        self.folder.mkdir(parents=True, exist_ok=True)
        study = {
            "schema": 1,
            "name": self.name,
            "command": f"python search/run_grid.py study.name={self.name}",
            "created_at": "2026-01-01T00:00:00+00:00",
            "fidelity": {
                "label": "embedded quick study", "images": 512, "epochs": 3, "size_px": 64,
                "batch_size": 64, "encoder": "resnet18", "evidence": self.evidence,
            },
            "data": {
                "name": "synthetic", "fingerprint": "ab12", "images_train": 512,
                "images_val": self.images_val, "boxes": "joints",
            },
            "versions": {"python": "3.11.7", "torch": "2.15.0", "handssl": "0.1.0"},
            "git": {"revision": "0123abcd", "dirty": False},
            "plan": self.plan,
            "config": {"search": {"sampler": "grid"}, "study": {"epochs": 3}},
        }  # fmt: skip
        study.update(changes)
        path = self.folder / "study.json"
        path.write_text(json.dumps(study))
        return path

    def add(
        self,
        composition: str,
        objective: str = "contrastive",
        *,
        repeat: int = 0,
        status: str = "finished",
        median: float | None = None,
        metrics: Mapping[str, float] | None = None,
        config: Mapping[str, Any] | None = None,
        errors: np.ndarray[Any, Any] | None = None,
        changes: Mapping[str, Any] | None = None,
        seconds: float = 30.0,
    ) -> Path:
        """Writes one trial's record; returns its folder."""
        trial = f"t{self.count:05d}"
        self.count += 1
        value = planted_median(composition, objective) if median is None else median
        options: dict[str, Any] = {"name": objective}
        if objective == "contrastive":
            options["temperature"] = 0.5
        if objective == "relative":
            options["targets"] = "standardised"
        whole = {
            "objective": options, "composition": composition, "encoder": {"name": "resnet18"},
            "optimizer": {"name": "lars_adam", "base_lr": 1e-4}, "epochs": 3, **(config or {}),
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
        self.plan.append(
            {"trial": trial, "hash": digest, "objective": objective, "composition": composition,
             "seed": 100 + repeat, "repeat": repeat}
        )  # fmt: skip
        started = self.clock
        self.clock += timedelta(seconds=seconds)
        all_metrics = {
            "mpjpe_cm": value * 1.5, "median_pje_cm": value, "auc_5cm": 0.1, "auc_50cm": 0.6,
            "ra_mpjpe_cm": value * 0.5, "ra_median_pje_cm": value * 0.4,
            "pa_mpjpe_cm": value * 0.2,
            "pa_median_pje_cm": value * 0.15,
        }  # fmt: skip
        record: dict[str, Any] = {
            "schema": 1, "trial": trial, "study": self.name, "hash": digest, "status": status,
            "seed": 100 + repeat, "repeat": repeat, "composition": composition,
            "objective": objective, "config": whole,
            "metrics": {**all_metrics, **(metrics or {})} if status == "finished" else {},
            "rungs": [{"epoch": 1, "step": 8, "median_pje_cm": value * 1.3}],
            "steps": 24, "encoder_steps": 48 if status == "finished" else 16, "epochs": 3,
            "timings_s": {"total": seconds, "encoder": seconds * 0.9, "augment": 1.0, "data": 0.2,
                          "probe": 0.5, "checkpoint": 0.1, "overhead": 0.4},
            "versions": {"python": "3.11.7", "torch": "2.15.0"},
            "data": {"name": "synthetic", "fingerprint": "ab12"}, "git": {"revision": "0123abcd"},
            "started_at": started.isoformat(), "finished_at": self.clock.isoformat(),
            "error": None if status != "failed" else
            {"type": "NonFiniteLossError", "message": "the loss is not finite", "traceback": "…"},
        }  # fmt: skip
        record.update(changes or {})
        folder = self.folder / "trials" / trial
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record))
        (folder / "metrics.jsonl").write_text('{"epoch": 1, "step": 8, "loss": 3.1}\n')
        if errors is not None:
            groups = np.array([f"pose{i // 2:04d}" for i in range(len(errors))])
            np.savez(folder / "errors.npz", error_cm=errors.astype(np.float32), group=groups)
        return folder

    def add_baselines(self, metrics: Mapping[str, float], seeds: int = 3) -> None:
        """Every image-blind answer, best at the crop's depth, and random weights over seeds.

        The metrics of `crop_depth`; the others are higher by 1, 2, …, random weights half of them.
        """
        for number, answer in enumerate(("crop_depth", "camera_mean", "crop_mean", "medoid")):
            values = {name: value + number for name, value in metrics.items()}
            self._add_baseline("image_blind", answer, 0, values)
        for seed in range(seeds):
            values = {name: value / 2 + seed for name, value in metrics.items()}
            self._add_baseline("random_weights", "", seed, values)

    def _add_baseline(
        self, objective: str, composition: str, repeat: int, metrics: Mapping[str, float]
    ) -> None:
        name = f"{objective}-{composition or repeat}"
        record = {
            "schema": 2, "kind": "baseline", "trial": name, "study": self.name, "hash": name,
            "status": "finished", "seed": repeat, "repeat": repeat, "objective": objective,
            "composition": composition, "metrics": metrics,
        }  # fmt: skip
        folder = self.folder / "baselines" / name
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record))

    def add_grid(
        self,
        objectives: tuple[str, ...] = ("contrastive", "relative"),
        *,
        repeats: int = 1,
        spread: float = 0.2,
        errors: bool = False,
    ) -> None:
        """All 15 compositions for each objective, seeds ``spread`` cm around the truth."""
        random = np.random.default_rng(7)
        hardness = random.gamma(4.0, 0.25, size=(self.images_val, 1))
        for objective in objectives:
            for composition in PAPER_ROWS:
                for repeat in range(repeats):
                    truth = planted_median(composition, objective)
                    value = truth + (spread * random.standard_normal() if repeats > 1 else 0.0)
                    poses = value * hardness * random.gamma(9.0, 1 / 9, size=(self.images_val, 21))
                    median = float(np.median(poses)) if errors else value
                    self.add(
                        composition, objective, repeat=repeat, median=median,
                        errors=poses if errors else None,
                    )  # fmt: skip


Make = Callable[..., StudyMaker]


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., StudyMaker]:
    """A maker of a study's folder below the test's own."""

    def make(name: str = "embedded", **options: Any) -> StudyMaker:
        return StudyMaker(folder=tmp_path / "results" / name, name=name, **options)

    return make
