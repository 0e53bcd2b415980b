"""The linear probe: how much of the 3D pose a frozen encoder's features hold linearly."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from handssl.augment import Composition
from handssl.checked import OneOf, check_fields
from handssl.data import Store
from handssl.encoders import Encoder
from handssl.errors import DataError
from handssl.evaluation.features import LabelledFeatures, crop_labels, extract_features
from handssl.evaluation.lifting import Evaluated, Lift, evaluate_pose, pixels_of
from handssl.evaluation.neighbours import predict_neighbours
from handssl.evaluation.released import train_released
from handssl.evaluation.ridge import LinearMap, Ridge, fit_ridge, fit_robust
from handssl.evaluation.root_depth import RootDepth
from handssl.geometry import joints_from_25d
from handssl.training.randomness import stream

SOLVERS: Final = ("exact", "robust", "released")
LIFTINGS: Final = ("closed_form", "calibrated")

Fit = Callable[[Tensor, Tensor, Tensor], Ridge]
"""A solver on cached features: of features, targets and held-out rows, as `fit_ridge`."""

NEIGHBOUR_METRICS: Final = (
    "ra_median_pje_cm",
    "pa_median_pje_cm",
    "median_pje_cm",
    "uv_median_pct",
)
"""Metrics of the k-nearest-neighbour probes."""

History = tuple[dict[str, float], ...]

_FITS: Final[Mapping[str, Fit]] = {"exact": fit_ridge, "robust": fit_robust}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """Settings of the probe.

    Attributes:
        solver: `exact` (ridge, D4) and `robust` (L1 by reweighting) fit features that are
            extracted once; `released` trains the layer as the paper does.
        lifting: Depth of the root: `closed_form` from the predicted pose alone, as in the paper;
            `calibrated` weights it with the depth that the crop's side implies
            (`RootDepth`).
        neighbours: Values of k for which k nearest neighbours are measured too, as
            `knn<k>/<metric>`.
        label_fraction: Share of the training groups whose labels are used, at least 2 groups; a
            smaller share is part of a larger one.
        epochs: Passes of the released solver; the others do not use it.
        size_px: Side of a view; that of pretraining.
        composition: Augmentations of the fitted views; the paper rotates and translates.
        augmented_passes: Passes over the training images with fresh augmentation, beside one
            without; the released solver makes a fresh one every epoch instead.
        held_out: Share of the training groups that chooses the penalty.
        batch_size: Images of one forward pass.
    """

    solver: Annotated[str, OneOf(*SOLVERS)] = "exact"
    lifting: Annotated[str, OneOf(*LIFTINGS)] = "closed_form"
    neighbours: tuple[Annotated[int, Ge(1)], ...] = ()
    label_fraction: Annotated[float, Gt(0), Le(1)] = 1.0
    epochs: Annotated[int, Ge(1)] = 50
    size_px: Annotated[int, Ge(16)] = 128
    composition: str = "rotate+translate"
    augmented_passes: Annotated[int, Ge(0)] = 2
    held_out: Annotated[float, Gt(0), Lt(1)] = 0.1
    batch_size: Annotated[int, Ge(1)] = 256

    def __post_init__(self) -> None:
        check_fields(self, "probe.")
        Composition.parse(self.composition)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult(Evaluated):
    """A fitted probe and its errors on the validation images.

    Attributes:
        layer: The fitted layer, features to 21 × (u, v, z_rel), u and v in fractions of a view.
        calibration: Its root depth; None for the closed form.
        bone_m: Mean length of the reference bone in the images it was fitted to, metres.
        history: Validation metrics after every epoch of the released solver.
        timings_s: Seconds of `features`, `solve`, `evaluate` and `total`.
    """

    layer: LinearMap
    calibration: RootDepth | None
    bone_m: float
    history: History
    timings_s: dict[str, float]


def linear_probe(
    encoder: Encoder,
    train: Store,
    val: Store,
    config: ProbeConfig,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> ProbeResult:
    """Fit 2.5D poses to frozen features, lift the validation set's to 3D, and measure them.

    The exact solver is ridge regression on features extracted once (D4; the paper trains the
    layer for 50 epochs with Adam and an L1 loss). Lifting uses the view's own camera and the
    true length of the reference bone, as in the paper.

    Args:
        encoder: The encoder; moved to `device`, otherwise unchanged.
        train: Images to fit on.
        val: Images to measure on, without augmentation.
        config: Solver, views and labels.
        device: Where views and features are computed.
        seed: Source of the views and of the held-out groups.

    Raises:
        DataError: If a split has no labels to use, or the training images are of one group.
    """
    start = time.perf_counter()
    train = with_labels(train, config.label_fraction, seed)
    probe = _Probe(encoder, train, val, config, device=torch.device(device), seed=seed)
    extracted = time.perf_counter()
    layer, history = probe.solve(probe.fitted)
    calibration = probe.calibrate() if config.lifting == "calibrated" else None
    lift = calibration or joints_from_25d
    solved = time.perf_counter()
    evaluated = probe.evaluate(layer, lift)
    metrics = evaluated.metrics | probe.neighbours(lift)
    end = time.perf_counter()
    usable = probe.fitted.labels.valid.any(1)
    return ProbeResult(
        **{f.name: getattr(evaluated, f.name) for f in dataclasses.fields(evaluated)}
        | {"metrics": metrics},
        layer=layer,
        calibration=calibration,
        bone_m=float(probe.fitted.labels.bone_m[usable].double().mean()),
        history=history,
        timings_s={
            "features": extracted - start,
            "solve": solved - extracted,
            "evaluate": end - solved,
            "total": end - start,
        },
    )


class _Probe:
    """Features of an encoder, and the solver that fits a layer to them.

    Attributes:
        fitted: Views of the training images, all passes; for the released solver its first epoch.
    """

    def __init__(
        self,
        encoder: Encoder,
        train: Store,
        val: Store,
        config: ProbeConfig,
        *,
        device: torch.device,
        seed: int,
    ) -> None:
        self._encoder, self._train, self._val = encoder.to(device), train, val
        self._config, self._device, self._seed = config, device, seed
        self._composition = Composition.parse(config.composition)
        self._released = config.solver == "released"
        passes = [self._composition] * config.augmented_passes
        passes = [self._composition] if self._released else [Composition.identity(), *passes]
        parts = [self._extract("training", train, views, i) for i, views in enumerate(passes)]
        self.fitted = LabelledFeatures.join(parts)
        self._measured = self._extract("validation", val, Composition.identity(), 0)

    def solve(
        self, fitted: LabelledFeatures, rows: Bool[Tensor, " rows"] | None = None
    ) -> tuple[LinearMap, History]:
        """A layer, and its validation metrics after every epoch of the released solver.

        Args:
            fitted: `self.fitted`, or those of its rows.
            rows: Which rows of every pass these are; all when omitted.
        """
        if not self._released:
            held_out = held_out_rows(fitted.labels.groups, self._config.held_out, self._seed)
            solver = _FITS[self._config.solver]
            return fit_layer(fitted, torch.from_numpy(held_out), solver), ()

        def views(epoch: int) -> LabelledFeatures:
            if not epoch:
                return fitted
            drawn = self._extract("training", self._train, self._composition, epoch)
            return drawn if rows is None else drawn.select(rows)

        return train_released(
            views,
            lambda candidate: self.evaluate(candidate).metrics,
            epochs=self._config.epochs,
            size_px=self._config.size_px,
            seed=self._seed,
        )

    def calibrate(self) -> RootDepth:
        """Lifting with weights from held-out training images, which another layer predicts."""
        groups = self.fitted.labels.groups
        if (count := len(np.unique(groups))) < 3:
            raise DataError(
                "probe.lifting=calibrated needs a training split of at least 3 groups, but got "
                f"{count}; take more images or probe.lifting=closed_form"
            )
        unseen = torch.from_numpy(held_out_rows(groups, self._config.held_out, self._seed))
        layer, _ = self.solve(self.fitted.select(~unseen), ~unseen)
        size_px = self._config.size_px
        crops = crop_labels(self._train, size_px=size_px)
        rows = np.flatnonzero(unseen[: len(self._train)])  # of the first of all passes
        views = self._extract("training", self._train.select(rows), Composition.identity(), 0)
        predicted = pixels_of(layer(views.features), size_px)
        return RootDepth.of_crops(crops).calibrated(predicted, views.labels)

    def evaluate(self, layer: LinearMap, lift: Lift = joints_from_25d) -> Evaluated:
        """Errors of a layer on the validation images."""
        return self._lifted(layer(self._measured.features), lift)

    def neighbours(self, lift: Lift) -> dict[str, float]:
        """Errors of the k-nearest-neighbour probes, lifted as the layer's predictions."""
        metrics: dict[str, float] = {}
        for k in self._config.neighbours:
            pose = predict_neighbours(self.fitted, self._measured.features, k=k)
            result = self._lifted(pose, lift)
            metrics |= {f"knn{k}/{name}": result.metrics[name] for name in NEIGHBOUR_METRICS}
        return metrics

    def _lifted(self, pose: Float[Tensor, "n 63"], lift: Lift) -> Evaluated:
        size_px = self._config.size_px
        return evaluate_pose(pose, self._measured.labels, self._val, size_px=size_px, lift=lift)

    def _extract(
        self, name: str, store: Store, views: Composition, index: int
    ) -> LabelledFeatures:
        part = extract_features(
            self._encoder,
            store,
            views,
            stream(self._seed, "probe", name, index),
            size_px=self._config.size_px,
            device=self._device,
            batch_size=self._config.batch_size,
        )
        if not part.labels.valid.any():
            raise DataError(
                f"the {name} split must have labelled joints, but got none whose reference bone "
                "is labelled too; check it with `handssl data doctor`"
            )
        return part


def with_labels(store: Store, fraction: float, seed: int) -> Store:
    """The rows of a random share of a store's groups: whole groups, at least 2 of them.

    The groups are the first of one random order, so a smaller share is part of a larger one.
    """
    if fraction == 1:
        return store
    names = np.unique(store.groups)
    order = torch.randperm(len(names), generator=stream(seed, "probe", "labels")).numpy()
    chosen = names[order[: max(2, round(fraction * len(names)))]]
    return store.select(np.flatnonzero(np.isin(store.groups, chosen)))


def held_out_rows(
    groups: Shaped[np.ndarray, " rows"], share: float, seed: int
) -> NDArray[np.bool_]:
    """Rows of a random share of the groups (at least one, never all), so that none is split.

    Raises:
        DataError: If there is only one group.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(
            f"the training split must have at least 2 groups to choose the penalty, but got "
            f"{len(names)}; train on more images"
        )
    order = torch.randperm(len(names), generator=stream(seed, "probe", "held-out")).numpy()
    count = min(max(1, round(share * len(names))), len(names) - 1)
    rows: NDArray[np.bool_] = np.isin(groups, names[order[:count]])
    return rows


def fit_layer(
    fitted: LabelledFeatures, held_out: Bool[Tensor, " rows"], fit: Fit = fit_ridge
) -> LinearMap:
    """Features to poses, by one regression for each pattern of labelled rows.

    Joints that are labelled in the same rows share one solution; where all joints are labelled
    that is all of them. A joint that is never labelled is predicted at the centre, depth 0.
    """
    weight = torch.zeros(fitted.features.shape[1], 21, 3, dtype=torch.float64)
    bias = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64).repeat(21, 1)
    # One column a joint; joints with equal columns form one pattern.
    patterns, member = np.unique(fitted.labels.valid.numpy(), axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        rows = torch.from_numpy(pattern)
        joints = torch.from_numpy(np.flatnonzero(member == index))
        if not (rows & held_out).any() or not (rows & ~held_out).any():
            continue
        # (rows, D) features and (rows, joints × 3) targets of this pattern.
        targets = fitted.labels.pose[rows][:, joints].flatten(1)
        part = fit(fitted.features[rows], targets, held_out[rows])
        weight[:, joints] = part.weight.view(-1, len(joints), 3)
        bias[joints] = part.bias.view(len(joints), 3)
    return LinearMap(weight=weight.flatten(1), bias=bias.flatten())
