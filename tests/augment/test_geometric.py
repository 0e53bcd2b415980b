"""Where points go: sense, centre and order of the geometric augmentations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handssl.augment import AUGMENTATIONS, Composition, apply_views, wrap_deg
from handssl.augment.geometric import NOMINAL_SIDE_FRAC, Rotate, Scale, Translate
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


def test_identity_puts_the_hand_mid_view_and_the_crop_onto_the_view() -> None:
    torch.testing.assert_close(where((60, 70), ""), torch.tensor([31.5, 31.5]))
    torch.testing.assert_close(where((20, 30), ""), torch.tensor([-0.5, -0.5]))


def test_rotation_is_counter_clockwise_as_seen_about_the_hand() -> None:
    # The point right of the centre moves up, so its v shrinks: 40 source px are 32 view px.
    torch.testing.assert_close(
        where((100, 70), "rotate", rotate=[90.0]), torch.tensor([31.5, -0.5])
    )
    torch.testing.assert_close(
        where((60, 70), "rotate", rotate=[33.0]), torch.tensor([31.5, 31.5])
    )


def test_a_larger_margin_shows_more() -> None:
    # 10 source px of a crop of 80 · 1.5/1.25 = 96 px on 64 view px.
    torch.testing.assert_close(
        where((70, 70), "scale", scale=[1.5]), torch.tensor([31.5 + 10 * 64 / 96, 31.5])
    )


def test_the_shift_moves_the_crop_in_the_frame_of_the_view() -> None:
    # 0.05 of 128 px are 6.4 source px; content moves the other way, the same with a rotation.
    moved = torch.tensor([31.5 - 6.4 * 64 / 80, 31.5])
    torch.testing.assert_close(where((60, 70), "translate", translate_source=[0.05, 0.0]), moved)
    torch.testing.assert_close(
        where((60, 70), "translate+rotate", translate_source=[0.05, 0.0], rotate=[40.0]), moved
    )


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


def test_crop_brings_its_rectangle_onto_the_view() -> None:
    rectangle = [0.25, 0.5, 0.5, 0.25]
    corner = (20 + 0.25 * 80, 30 + 0.5 * 80)
    torch.testing.assert_close(
        where(corner, "crop", crop=rectangle), torch.tensor([-0.5, -0.5]), atol=1e-4, rtol=0
    )
    opposite = (corner[0] + 40, corner[1] + 20)
    torch.testing.assert_close(
        where(opposite, "crop", crop=rectangle), torch.tensor([63.5, 63.5]), atol=1e-4, rtol=0
    )


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
        Translate(),
        Scale(),
        Scale(min_margin=0.5, max_margin=3.0),
        Rotate(),
        Rotate(max_deg=30.0),
        Rotate(max_deg=90.0),
        Rotate(max_deg=120.0),
        Rotate(max_deg=180.0),
        AUGMENTATIONS["color_jitter"](),
    ],
)
def test_closed_form_spread_of_the_targets_equals_the_sampled_one(
    augmentation: Translate | Scale | Rotate,
) -> None:
    generator = torch.Generator().manual_seed(1)
    i, j = (
        augmentation.sample(torch.rand((200_000, augmentation.uniforms), generator=generator))
        for _ in range(2)
    )
    if isinstance(augmentation, Translate):
        i, j = i / NOMINAL_SIDE_FRAC, j / NOMINAL_SIDE_FRAC
    measured = augmentation.difference(i, j).square().mean(0).sqrt()
    torch.testing.assert_close(
        measured, torch.tensor(augmentation.difference_std()), rtol=0.01, atol=0
    )
    alone = augmentation.difference(i, torch.tensor(augmentation.neutral).expand_as(i))
    torch.testing.assert_close(
        alone.square().mean(0).sqrt(),
        torch.tensor(augmentation.neutral_rms()),
        rtol=0.01,
        atol=0,
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Rotate(max_deg=0.0), r"rotate\.max_deg must be > 0 and <= 180"),
        (lambda: Rotate(max_deg=181.0), r"rotate\.max_deg=181"),
        (lambda: Translate(max_px=-1.0), r"translate\.max_px must be > 0"),
        (lambda: Scale(min_margin=1.5, max_margin=0.9), r"scale\.margin must be an increasing"),
        (lambda: Scale(min_margin=1.0, max_margin=1.0), r"leave scale out"),
    ],
)
def test_magnitudes_out_of_range_are_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(ConfigError, match=message):
        build()
