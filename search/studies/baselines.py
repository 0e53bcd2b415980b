"""Baselines of a study: image-blind answers, and probes of encoders with random weights.

They are measured before the first trial, so that no error is read without them. Their records lie
beside those of the trials, and are no trials: no sampler sees them.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from handssl import records
from handssl.data import Store
from handssl.evaluation.image_blind import image_blind_answers
from handssl.records import BASELINES, IMAGE_BLIND, Record, canonical_hash
from search.storage.folder import Folder
from search.trials.images import Images
from search.trials.random_weights import RandomWeightsTrial
from search.trials.resolve import Resolver


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The baselines of one set of images.

    Attributes:
        images: The images.
        store: The same images, open.
        size_px: Side of a view.
        random_weights: Probes of encoders that were not trained.
    """

    images: Images
    store: Store
    size_px: int
    random_weights: Sequence[RandomWeightsTrial]

    @property
    def image_blind_hash(self) -> str:
        """Identity of the image-blind answers."""
        return canonical_hash(
            {
                "baseline": IMAGE_BLIND,
                "data": self.store.fingerprint,
                "images": self.images.count,
                "size_px": self.size_px,
            }
        )


def baselines_of(resolver: Resolver, store: Store, *, seeds: int) -> Baselines:
    """The baselines of a search, with so many random initialisations."""
    trial = resolver.trial
    return Baselines(
        images=resolver.images,
        store=store,
        size_px=trial.probe.size_px,
        random_weights=[
            RandomWeightsTrial.resolve(
                trial.pretrain.encoder.name,
                trial.probe,
                resolver.images,
                fingerprint=resolver.fingerprint,
                seed=resolver.study.seed,
                repeat=repeat,
            )
            for repeat in range(seeds)
        ],
    )


def record_image_blind(
    baselines: Baselines, folder: Folder, context: Mapping[str, Any]
) -> dict[str, Record]:
    """Measure the image-blind answers and write their records; returns them by name.

    Args:
        baselines: The baselines.
        folder: The study's folder.
        context: Fields of the record about the study.
    """
    store, records_by_name, started_at = baselines.store, {}, records.now()
    train, val = store.split("train"), store.split("val")
    for name, answer in image_blind_answers(train, val, size_px=baselines.size_px).items():
        path = f"{BASELINES}/{name}"
        record = Record(
            kind="baseline",
            trial=name,
            hash=baselines.image_blind_hash,
            status="finished",
            seed=0,
            composition=name,
            objective=IMAGE_BLIND,
            config={"images": baselines.images.count, "size_px": baselines.size_px},
            metrics=answer.metrics,
            started_at=started_at,
            finished_at=records.now(),
            **context,
        )
        records.write_npz(folder.local_path / path / "errors.npz", **answer.arrays())
        records.write_json(folder.local_path / path / "record.json", record.to_dict())
        folder.put(f"{path}/errors.npz", f"{path}/record.json")
        records_by_name[name] = record
    return records_by_name
