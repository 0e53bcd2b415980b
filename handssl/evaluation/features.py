"""Features of a frozen encoder, with the 2.5D pose of the same views."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from handssl.augment import Composition, Parameters, make_views
from handssl.augment.views import crop_matrix
from handssl.data import Store
from handssl.geometry import joints_to_25d
from handssl.skeleton import REFERENCE_BONE, WRIST

_TENSORS: Final = ("pose", "valid", "bone_m", "root_m", "intrinsics")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLabels:
    """Labels of views, one row a view, on the CPU.

    Attributes:
        pose: (n, 21, 3): (u, v) in the view's pixels divided by its side, z_rel in bones; NaN
            where not labelled.
        valid: (n, 21) labelled joints; none where the bone that scales depth is not labelled.
        bone_m: (n,) length of that bone.
        root_m: (n,) depth of the wrist, metres.
        intrinsics: (n, 3, 3) camera of the view: its matrix times the source's camera.
        groups: (n,) groups of the images.
    """

    pose: Float[Tensor, "batch 21 3"]
    valid: Bool[Tensor, "batch 21"]
    bone_m: Float[Tensor, " batch"]
    root_m: Float[Tensor, " batch"]
    intrinsics: Float[Tensor, "batch 3 3"]
    groups: Shaped[np.ndarray, " batch"]

    @property
    def root_bones(self) -> Float[Tensor, " batch"]:
        """(n,) depth of the wrist in reference bones, float64."""
        return self.root_m.double() / self.bone_m.double()

    @classmethod
    def join(cls, parts: "Sequence[ViewLabels]") -> "ViewLabels":
        """All rows of several views."""
        return cls(
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in _TENSORS},
            groups=np.concatenate([part.groups for part in parts]),
        )

    def select(self, rows: Bool[Tensor, " batch"]) -> "ViewLabels":
        """Some rows."""
        return ViewLabels(
            **{name: getattr(self, name)[rows] for name in _TENSORS},
            groups=self.groups[rows.numpy()],
        )


def view_labels(matrix: Float[Tensor, "batch 3 3"], store: Store, *, size_px: int) -> ViewLabels:
    """2.5D poses in one view of each of a store's images.

    A camera follows its view exactly: with M the view's matrix, M·K projects the unchanged 3D
    joints to their pixels in the view, rotations included.
    """
    intrinsics = matrix @ torch.from_numpy(store.intrinsics)
    joints_m = torch.from_numpy(store.joints_m)
    pose, bone_m = joints_to_25d(joints_m, intrinsics)
    valid = torch.from_numpy(store.valid)
    return ViewLabels(
        pose=pose / torch.tensor([size_px, size_px, 1.0]),
        valid=valid & valid[:, list(REFERENCE_BONE)].all(dim=1, keepdim=True),
        bone_m=bone_m,
        root_m=joints_m[:, WRIST, 2],
        intrinsics=intrinsics,
        groups=store.groups,
    )


def crop_labels(store: Store, *, size_px: int) -> ViewLabels:
    """2.5D poses in the unaugmented views, without reading a pixel."""
    centre_px, side_px = torch.from_numpy(store.centre_px), torch.from_numpy(store.side_px)
    matrix = crop_matrix(centre_px, side_px, size_px).float()
    return view_labels(matrix, store, size_px=size_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFeatures:
    """Features of views and their labels, one row a view, on the CPU.

    Attributes:
        features: (n, D) float32.
        labels: Of the same n views.
        parameters: Of their augmentations; `join` leaves them out.
    """

    features: Float[Tensor, "batch feature"]
    labels: ViewLabels
    parameters: Parameters = field(default_factory=dict)

    @staticmethod
    def join(parts: "list[LabelledFeatures]") -> "LabelledFeatures":
        """All rows of several passes."""
        return LabelledFeatures(
            features=torch.cat([part.features for part in parts]),
            labels=ViewLabels.join([part.labels for part in parts]),
        )

    def select(self, rows: Bool[Tensor, " batch"]) -> "LabelledFeatures":
        """Some rows."""
        return LabelledFeatures(features=self.features[rows], labels=self.labels.select(rows))


def extract_features(
    encoder: nn.Module,
    store: Store,
    composition: Composition,
    generator: torch.Generator,
    *,
    size_px: int,
    device: torch.device,
    batch_size: int = 256,
) -> LabelledFeatures:
    """Features and labels of one view of every image; the encoder is in evaluation mode meanwhile.

    Args:
        encoder: On `device`; images in [0, 1] to one vector each.
        store: Images, in whose order rows come.
        composition: Augmentations of the views; the identity for evaluation.
        generator: Source of the views' parameters, on the CPU.
        size_px: Side of a view.
        device: Where views and features are computed.
        batch_size: Images at a time; does not change the result beyond rounding.
    """
    parts: list[tuple[Tensor, Parameters, Tensor]] = []
    centre_px, side_px = torch.from_numpy(store.centre_px), torch.from_numpy(store.side_px)
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(store), batch_size):
                rows = np.arange(start, min(start + batch_size, len(store)))
                views = make_views(
                    store.batch(rows).to(device),
                    composition,
                    generator,
                    size=size_px,
                    centre_px=centre_px[rows],
                    side_px=side_px[rows],
                )
                images = views.images.contiguous(memory_format=torch.channels_last)
                parameters = {name: value.cpu() for name, value in views.parameters.items()}
                parts.append((encoder(images).float().cpu(), parameters, views.matrix.cpu()))
    finally:
        encoder.train(training)
    features, parameters_of, matrices = zip(*parts, strict=True)
    return LabelledFeatures(
        features=torch.cat(features),
        labels=view_labels(torch.cat(matrices), store, size_px=size_px),
        parameters={
            name: torch.cat([part[name] for part in parameters_of]) for name in parameters_of[0]
        },
    )
