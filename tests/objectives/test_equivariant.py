"""PeCLR: points that move with the content agree once the motion is undone."""

from typing import Any

import pytest
import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from handssl.augment import Composition, Views, make_views
from handssl.errors import ConfigError
from handssl.geometry import transform_points
from handssl.objectives import build_objective, objective_config
from handssl.objectives.equivariant import undo_exact, undo_released

N, POINTS, SIZE = 9, 10, 32


def two_views(composition: str) -> tuple[Float[Tensor, "N POINTS 2"], list[Views]]:
    """Points of the source about a hand, and two views of it."""
    generator = torch.Generator().manual_seed(0)
    centre = 45 + 10 * torch.rand((N, 2), generator=generator)
    side = 40 + 10 * torch.rand(N, generator=generator)
    points = centre[:, None] + 30 * (torch.rand((N, POINTS, 2), generator=generator) - 0.5)
    images = torch.zeros(N, 3, 100, 100, dtype=torch.uint8)
    own = Composition.parse(composition)
    views = [
        make_views(images, own, generator, size=SIZE, centre_px=centre, side_px=side)
        for _ in range(2)
    ]
    return points, views


def as_projection(points: Tensor, view: Views) -> Float[Tensor, "N dim"]:
    """What an equivariant network would say: the points in fractions of the view's side."""
    return ((transform_points(points, view.matrix) + 0.5) / SIZE - 0.5).flatten(1)


@pytest.mark.parametrize("composition", ["T", "Ro", "S", "T+S+Ro", "T+S+Ro+crop"])
def test_the_exact_form_undoes_any_motion_of_the_content(composition: str) -> None:
    points, views = two_views(composition)
    undone = [
        nnf.normalize(undo_exact(as_projection(points, v), v.parameters, v.matrix), dim=1)
        for v in views
    ]
    torch.testing.assert_close(undone[0], undone[1], atol=1e-4, rtol=0)
    if composition == "S":
        return  # cancels in the norm already
    left = [nnf.normalize(as_projection(points, v), dim=1) for v in views]
    assert (left[0] - left[1]).norm(dim=1).min() > 0.01


def test_the_released_form_undoes_rotation_about_the_centroid() -> None:
    points, views = two_views("Ro")
    undone = []
    for view in views:
        z = as_projection(points, view).reshape(N, POINTS, 2)
        z = z - z.mean(1, keepdim=True)
        undone.append(undo_released(z.flatten(1), view.parameters, ["rotate"]))
    torch.testing.assert_close(undone[0], undone[1], atol=1e-4, rtol=0)


def test_the_released_form_undoes_a_shift_of_points_that_span_the_view() -> None:
    points = torch.rand((N, POINTS, 2), generator=torch.Generator().manual_seed(0))
    points[:, 0], points[:, 1] = 0.0, 1.0
    unit = points.flatten(1).norm(dim=1)
    shift = torch.tensor([[0.1, -0.2]]).repeat(N, 1)
    # The crop moves by +shift, so the content moves by −shift.
    moved = nnf.normalize((points - shift[:, None]).flatten(1), dim=1)
    restored = undo_released(moved, {"translate": shift}, ["translate"])
    scaled = restored * (points - shift[:, None]).flatten(1).norm(dim=1, keepdim=True)
    torch.testing.assert_close(scaled, points.flatten(1), atol=1e-5, rtol=1e-5)
    assert unit.min() > 0


def test_names_that_are_not_undone_stay() -> None:
    points, (view, _) = two_views("T+Ro")
    z = as_projection(points, view)
    torch.testing.assert_close(
        undo_released(z, view.parameters, []), nnf.normalize(z, dim=1), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("config", "composition", "message"),
    [
        ({}, "color_jitter", "must have a geometric augmentation"),
        ({"projection_dim": 7}, "rotate", "projection_dim must be even.*projection_dim=7"),
        (
            {"name": "mixed", "mixture": "shared", "equivariance": "exact"},
            "rotate:equivariant+translate:contrastive",
            "equivariance must be released where only some",
        ),
    ],
)
def test_what_cannot_be_undone_is_refused(
    config: dict[str, Any], composition: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_objective(
            objective_config(**{"name": "equivariant", **config}),
            Composition.parse(composition),
            8,
        )
