"""From the rows of transfer tables to the trials that fill them: pretrainings and fits."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from handssl.augment import Composition
from handssl.encoders import EncoderConfig
from handssl.errors import ConfigError
from handssl.evaluation import FinetuneConfig
from handssl.evaluation.probe import with_labels
from handssl.objectives import hash_form
from handssl.records import canonical_hash, flatten, seed_from
from search.config.schema import StudyConfig, TrialConfig
from search.config.transfer import RowGroup, TransferConfig
from search.config.typed import to_dict
from search.space.point import Point
from search.trials.fit import FitTrial
from search.trials.images import DataSetImages
from search.trials.pretrain import PretrainTrial
from search.trials.resolve import override_pretrain, pretrain_hash, probe_identity
from search.trials.trial import Trial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The trials of a transfer study, each once, in the order in which they run best."""

    pretrainings: Sequence[PretrainTrial]
    fits: Sequence[FitTrial]

    @property
    def trials(self) -> list[Trial]:
        """All of them."""
        return [*self.pretrainings, *self.fits]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    encoder: str
    pretrain: tuple[str, ...]
    start: str
    mode: str
    fit: str
    evaluate: tuple[str, ...]
    label_fraction: float
    layer_decay: float
    repeat: int

    @property
    def key(self) -> "_Row":
        """Its identity without the data sets that it is evaluated on."""
        pretrain = () if self.start in ("random", "imagenet") else self.pretrain
        return dataclasses.replace(self, evaluate=(), pretrain=pretrain)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowResolver:
    """Resolves the rows of tables to trials, with the settings that all of them share."""

    transfer: TransferConfig
    trial: TrialConfig
    study: StudyConfig
    data: DataSetImages

    def resolve_all(self) -> Rows:
        """Every trial that the configured rows need.

        Raises:
            ConfigError: No row is configured, or values make no valid trial.
        """
        if not self.transfer.rows:
            raise ConfigError(
                "transfer.rows must name at least one group, but got {}; choose study=tables or "
                "another file of configs/study/ that has rows"
            )
        rows: dict[_Row, _Row] = {}
        for row in itertools.chain.from_iterable(map(self._rows, self.transfer.rows.values())):
            known = rows.setdefault(row.key, row)
            evaluate = tuple(dict.fromkeys((*known.evaluate, *row.evaluate)))
            rows[row.key] = dataclasses.replace(known, evaluate=evaluate)
        pretrainings: dict[str, PretrainTrial] = {}
        fits = []
        for row in rows.values():
            pretraining = None
            if row.start in self.transfer.pretrained:
                pretraining = self._pretraining(row)
                pretraining = pretrainings.setdefault(pretraining.hash, pretraining)
            fits.append(self._fit(row, pretraining))
        return Rows(pretrainings=list(pretrainings.values()), fits=fits)

    def _rows(self, group: RowGroup) -> Iterator[_Row]:
        baselines = [n for n in group.baselines if n == "random" or self.transfer.imagenet]
        starts: list[tuple[str, str, float]] = []
        if "supervised" in group.modes:
            starts.append(("random", "supervised", 1.0))
        starts += [(name, "frozen", 1.0) for name in baselines]
        if "frozen" in group.modes:
            starts += [(name, "frozen", 1.0) for name in group.pretrained]
        if "unfrozen" in group.modes:
            names = [*group.pretrained, *(name for name in baselines if name != "random")]
            starts += [(name, "unfrozen", decay) for name in names for decay in group.layer_decays]
        for repeat, fit, fraction, (start, mode, decay) in itertools.product(
            range(group.repeats), group.fit, group.label_fractions, starts
        ):
            yield _Row(
                encoder=self.transfer.encoders[group.encoder].name,
                pretrain=group.pretrain,
                start=start,
                mode=mode,
                fit=fit,
                evaluate=group.evaluate,
                label_fraction=fraction,
                layer_decay=decay,
                repeat=repeat,
            )

    def _pretraining(self, row: _Row) -> PretrainTrial:
        kind = self.transfer.pretrained[row.start]
        plan = next(p for p in self.transfer.encoders.values() if p.name == row.encoder)
        repeat = row.repeat % self.transfer.pretrain_repeats
        sizes = {"batch_size": plan.batch_size, "accumulation": plan.accumulation}
        pretrain = override_pretrain(
            self.trial.pretrain,
            objective=kind.objective,
            values={
                "encoder.name": row.encoder,
                "composition": Composition.parse(kind.composition).label,
                "epochs": self.study.epochs,
                **{key: value for key, value in sizes.items() if value},
                **flatten(kind.pretrain),
            },
            key=f"transfer.pretrained.{row.start}",
        )
        digest = pretrain_hash(
            pretrain,
            self.trial.probe,
            fingerprint=self.data.store_of(row.pretrain).fingerprint,
            study=self.study,
            repeat=repeat,
            base=self.trial.pretrain.objective,
        )
        data = "+".join(row.pretrain)
        values = (("encoder", row.encoder), ("pretrain", data), ("mode", "pretrain"))
        return PretrainTrial(
            id=f"pretrain_{row.start}_{row.encoder}_{data}_r{repeat}_{digest[:8]}",
            hash=digest,
            seed=seed_from(digest),
            point=Point(
                objective=row.start, composition=pretrain.composition, values=values, repeat=repeat
            ),
            pretrain=pretrain,
            probe=self.trial.probe,
            diagnostics=self.trial.diagnostics,
            images=self.data.images_of(row.pretrain),
            keep_encoder=True,
            transfer={"pretrain": data, "mode": "pretrain", "shares": {**self.transfer.weights}},
        )

    def _fit(self, row: _Row, pretraining: PretrainTrial | None) -> FitTrial:
        fingerprints = {n: self.data.store_of([n]).fingerprint for n in (row.fit, *row.evaluate)}
        seed = seed_from(self.study.seed, fingerprints[row.fit], row.repeat)
        weights = "random" if pretraining else row.start
        transfer: dict[str, Any] = {
            "pretrain": "+".join(row.pretrain) if pretraining else row.start,
            "fit": row.fit,
            "evaluate": list(row.evaluate),
            "split": self.transfer.evaluate_on,
            "mode": row.mode,
            "label_fraction": row.label_fraction,
            "layer_decay": row.layer_decay,
        }
        settings: dict[str, Any] = {
            "encoder": {"name": row.encoder, "weights": weights},
            "images": self.study.images,
        }
        finetune = probe = None
        if row.mode == "frozen":
            probe = dataclasses.replace(self.trial.probe, label_fraction=row.label_fraction)
            settings["probe"] = probe_identity(probe)
        else:
            finetune = self._finetune(row, weights, seed)
            settings["finetune"] = to_dict(finetune)
            del settings["finetune"]["checkpoint_every"]
        if pretraining:
            settings["objective"] = to_dict(pretraining.pretrain.objective)
            settings["composition"] = pretraining.pretrain.composition
            settings["pretrain"] = to_dict(pretraining.pretrain)
        identity = dict(settings)
        if pretraining:
            flat = hash_form(pretraining.pretrain.objective, self.trial.pretrain.objective)
            identity |= {"objective": flat, "pretrain": settings["pretrain"] | {"objective": flat}}
        digest = canonical_hash(
            {
                **identity,
                "transfer": transfer,
                "start": pretraining.hash if pretraining else row.start,
                "data": [fingerprints[name] for name in (row.fit, *row.evaluate)],
                "seed": seed,
                "repeat": row.repeat,
            }
        )
        label = "supervised" if row.mode == "supervised" else row.start
        values = {k: v for k, v in transfer.items() if k not in ("evaluate", "split")}
        values |= {"encoder": row.encoder, "evaluate": "+".join(row.evaluate)}
        mode = "" if row.mode == label else f"_{row.mode}"
        decay = "" if row.layer_decay == 1 else f"_decay{row.layer_decay:g}"
        name = f"{label}{mode}_{row.encoder}_{row.fit}_{row.label_fraction:g}{decay}"
        return FitTrial(
            id=f"{name}_r{row.repeat}_{digest[:8]}",
            hash=digest,
            seed=seed,
            point=Point(
                objective=label,
                composition=pretraining.point.composition if pretraining else "",
                values=tuple(sorted(values.items())),
                repeat=row.repeat,
            ),
            pretraining=pretraining.id if pretraining else None,
            fit=row.fit,
            evaluate=row.evaluate,
            split=self.transfer.evaluate_on,
            images={name: self.data.images_of([name]) for name in fingerprints},
            finetune=finetune,
            probe=probe,
            config=settings,
            transfer=transfer,
        )

    def _finetune(self, row: _Row, weights: str, seed: int) -> FinetuneConfig:
        base = self.transfer.finetune
        train = self.data.store_of([row.fit]).split("train")
        labelled = len(with_labels(train, row.label_fraction, seed))
        steps_per_epoch = max(1, (labelled + base.batch_size - 2) // base.batch_size)
        epochs = max(base.epochs, math.ceil(self.transfer.min_steps / steps_per_epoch))
        return dataclasses.replace(
            base,
            mode=row.mode,
            encoder=EncoderConfig(name=row.encoder, weights=weights),
            label_fraction=row.label_fraction,
            layer_decay=row.layer_decay,
            size_px=self.trial.pretrain.size_px,
            epochs=epochs,
            # As many checkpoints as without the additional epochs.
            checkpoint_every=max(base.checkpoint_every, epochs // base.epochs),
        )
