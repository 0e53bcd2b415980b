"""The names that other programs call, as they call them."""

import inspect

import torch

from handssl.augment import AUGMENTATIONS, Composition, compositions, make_views
from handssl.data import open_store, read_freihand, read_interhand
from handssl.evaluation import pose_metrics
from handssl.geometry import joints_from_25d, joints_to_25d, procrustes_align
from handssl.objectives import nt_xent, relative_targets
from handssl.skeleton import JOINT_NAMES


def keywords(function: object) -> dict[str, object]:
    """Keyword-only parameters with their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()  # type: ignore[arg-type]
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def test_the_skeleton_has_21_names() -> None:
    assert len(set(JOINT_NAMES)) == 21


def test_geometry_is_called_as_agreed() -> None:
    joints = torch.randn(4, 21, 3) * 0.05 + torch.tensor([0.0, 0.0, 0.6])
    camera = torch.tensor([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]]).expand(4, 3, 3)
    joints_25d, bone_m = joints_to_25d(joints, camera)
    assert joints_25d.shape == (4, 21, 3)
    assert bone_m.shape == (4,)
    torch.testing.assert_close(joints_from_25d(joints_25d, bone_m, camera), joints)
    assert keywords(procrustes_align) == {"allow_reflection": True}
    torch.testing.assert_close(procrustes_align(joints * 2, joints, None), joints)


def test_metrics_have_the_agreed_names() -> None:
    joints = torch.randn(3, 21, 3)
    assert pose_metrics(joints, joints, None).keys() == {
        f"{alignment}{name}"
        for alignment in ("", "ra_", "pa_")
        for name in ("mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm")
    }


def test_objectives_are_called_as_agreed() -> None:
    assert keywords(nt_xent) == {"temperature": 0.5, "chunk_size": None}
    assert nt_xent(torch.randn(4, 8), torch.randn(4, 8)).shape == ()
    first, second = ({"rotate": torch.randn(4, 1)} for _ in range(2))
    assert relative_targets(first, second, ["rotate"])["rotate"].shape == (4, 1)
    assert keywords(relative_targets)["targets"] == "standardised"


def test_augmentations_are_called_as_agreed() -> None:
    assert len(AUGMENTATIONS) == 10
    assert Composition.parse("translate+color_jitter+scale").label == "T+CJ+S"
    Composition.parse("translate:relative+color_jitter:contrastive")
    assert len(compositions(("scale", "translate", "color_jitter", "rotate"))) == 15
    assert keywords(make_views) == {"size": 128, "centre_px": None, "side_px": None}
    images = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    composition = Composition.parse("translate+rotate")
    views, parameters, matrix = make_views(images, composition, torch.Generator())
    assert views.shape == (2, 3, 128, 128)
    assert parameters["translate"].shape == (2, 2)
    assert matrix.shape == (2, 3, 3)


def test_data_is_opened_as_agreed() -> None:
    assert next(iter(inspect.signature(open_store).parameters)) == "path"
    assert list(inspect.signature(read_freihand).parameters)[:2] == ["root", "split"]
    interhand = inspect.signature(read_interhand).parameters
    assert list(interhand)[:3] == ["root", "split", "annotator"]
    assert interhand["annotator"].default == "all"
