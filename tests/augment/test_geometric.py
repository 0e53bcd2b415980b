"""Where points go: sense, centre and order of the geometric augmentations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handssl.augment import AUGMENTATIONS, Augmentation, Composition, apply_views, wrap_deg
from handssl.augment.color import ColorJitter
from handssl.augment.geometric import NOMINAL_SIDE_FRAC, Crop, Rotate, Scale, Translate
from handssl.errors import ConfigError
from handssl.geometry import transform_points


def where(point: tuple[float, float], composition: str, **values: list[float]) -> torch.Tensor:
    """View pixel (size 64) of a point of a 128 px source whose hand is at (60, 70), side 80."""
    parameters = {key: torch.tensor([value]) for key, value in values.items()}
    views = apply_views(
        torch.zeros(1, 3, 128, 128, dtype=torch.uint8),
        Composition.parse(composition),
        parameters,
        size=64,
        centre_px=torch.tensor([[60.0, 70.0]]),
        side_px=torch.tensor([80.0]),
    )
    return transform_points(torch.tensor([[point]], dtype=torch.float32), views.matrix)[0, 0]


MIDDLE, CORNER = (31.5, 31.5), (-0.5, -0.5)
MOVED = (31.5 - 0.05 * 128 * 64 / 80, 31.5)
RECTANGLE = [0.25, 0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    ("point", "composition", "values", "expected"),
    [
        ((60, 70), "", {}, MIDDLE),  # the hand is mid-view, and the crop covers the view
        ((20, 30), "", {}, CORNER),
        # Counter-clockwise as seen: the point right of the hand moves up, so its v shrinks.
        ((100, 70), "rotate", {"rotate": [90.0]}, (31.5, -0.5)),
        ((60, 70), "rotate", {"rotate": [33.0]}, MIDDLE),
        # A larger margin shows more: 10 source px of a crop of 80 · 1.5/1.25 = 96 px.
        ((70, 70), "scale", {"scale": [1.5]}, (31.5 + 10 * 64 / 96, 31.5)),
        # The crop is shifted in the frame of the view, so the content moves the other way.
        ((60, 70), "translate", {"translate_source": [0.05, 0.0]}, MOVED),
        ((60, 70), "T+Ro", {"translate_source": [0.05, 0.0], "rotate": [40.0]}, MOVED),
        ((20 + 0.25 * 80, 30 + 0.5 * 80), "crop", {"crop": RECTANGLE}, CORNER),
        ((20 + 0.75 * 80, 30 + 0.75 * 80), "crop", {"crop": RECTANGLE}, (63.5, 63.5)),
    ],
)
def test_points_move_as_documented(
    point: tuple[float, float],
    composition: str,
    values: dict[str, list[float]],
    expected: tuple[float, float],
) -> None:
    moved = where(point, composition, **values)
    torch.testing.assert_close(moved, torch.tensor(expected), atol=1e-4, rtol=0)


def test_all_compose_as_documented() -> None:
    angle, margin, shift = math.radians(25), 1.1, torch.tensor([0.03, -0.02]) * 128
    offset = torch.tensor([12.0, -7.0])
    turned = torch.stack(
        [
            math.cos(angle) * offset[0] + math.sin(angle) * offset[1],
            -math.sin(angle) * offset[0] + math.cos(angle) * offset[1],
        ]
    )
    expected = ((turned - shift) / (80 * margin / 1.25) + 0.5) * 64 - 0.5
    got = where((72, 63), "T+S+Ro", translate_source=[0.03, -0.02], scale=[margin], rotate=[25.0])
    torch.testing.assert_close(got, expected)


def test_the_views_own_side_and_shift_are_reported() -> None:
    views = apply_views(
        torch.zeros(1, 3, 128, 128, dtype=torch.uint8),
        Composition.parse("T+S"),
        {"translate_source": torch.tensor([[0.05, -0.1]]), "scale": torch.tensor([[1.0]])},
        size=64,
        side_px=torch.tensor([80.0]),
    )
    torch.testing.assert_close(views.parameters["side_px"], torch.tensor([64.0]))
    torch.testing.assert_close(views.parameters["translate"], torch.tensor([[0.1, -0.2]]))


@given(st.floats(-2000, 2000))
def test_wrapped_angles_are_the_same_angles_in_the_half_open_circle(angle: float) -> None:
    wrapped = float(wrap_deg(torch.tensor([angle], dtype=torch.float64))[0])
    assert -180 < wrapped <= 180
    assert math.isclose(math.cos(math.radians(wrapped - angle)), 1, abs_tol=1e-9)


@pytest.mark.parametrize(
    "augmentation",
    [
        *(Translate(), Scale(), Scale(min_margin=0.5, max_margin=3.0), ColorJitter()),
        *(Rotate(max_deg=angle) for angle in (30.0, 45.0, 90.0, 120.0, 180.0)),
    ],
)
def test_closed_form_spread_of_the_targets_equals_the_sampled_one(
    augmentation: Translate | Scale | Rotate | ColorJitter,
) -> None:
    generator = torch.Generator().manual_seed(1)
    size = (200_000, len(augmentation.columns))
    i, j = (augmentation.sample(torch.rand(size, generator=generator)) for _ in range(2))
    if isinstance(augmentation, Translate):
        i, j = i / NOMINAL_SIDE_FRAC, j / NOMINAL_SIDE_FRAC
    measured = augmentation.difference(i, j).square().mean(0).sqrt()
    torch.testing.assert_close(
        measured, torch.tensor(augmentation.difference_std()), rtol=0.01, atol=0
    )
    alone = augmentation.difference(i, torch.tensor(augmentation.neutral).expand_as(i))
    torch.testing.assert_close(
        alone.square().mean(0).sqrt(), torch.tensor(augmentation.neutral_rms()), rtol=0.01, atol=0
    )


@pytest.mark.parametrize(
    ("kind", "magnitudes", "message"),
    [
        (Rotate, {"max_deg": 0.0}, r"rotate\.max_deg must be in \(0, 180\], but got max_deg=0"),
        (Rotate, {"max_deg": 181.0}, r"rotate\.max_deg .*max_deg=181"),
        (Translate, {"max_px": 113.0}, r"translate\.max_px .*max_px=113"),
        (Scale, {"min_margin": 1.6}, r"scale\.min_margin must be <= scale\.max_margin.*=1\.6"),
        (Scale, {"min_margin": 1.0, "max_margin": 1.0}, r"scale\.max_margin.*=1;"),
        (AUGMENTATIONS["gaussian_blur"], {"min_sigma_px": 3.0}, r"gaussian_blur\.min_.*=3"),
        *(
            (AUGMENTATIONS["color_jitter"], {f"max_{name}": 2.5}, rf"max_{name}=2\.5")
            for name in ("hue", "saturation", "alpha", "beta")
        ),
    ],
)
def test_magnitudes_out_of_range_are_refused(
    kind: type[Augmentation], magnitudes: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**magnitudes)


def test_rectangles_lie_inside_with_area_and_ratio_in_range() -> None:
    table = torch.rand((5000, 4), generator=torch.Generator().manual_seed(0))
    values = Crop(min_area=0.2, max_area=0.6).sample(table)
    corner, sides = values[:, :2], values[:, 2:]
    assert float(corner.min()) >= 0
    assert float((corner + sides).max()) <= 1 + 1e-6
    area, ratio = sides.prod(1), sides[:, 0] / sides[:, 1]
    assert 0.2 - 1e-6 <= float(area.min()) < 0.21
    assert 0.59 < float(area.max()) <= 0.6 + 1e-6
    assert 0.74 < float(ratio.min()) < 0.76
    assert 1.32 < float(ratio.max()) < 1.34
