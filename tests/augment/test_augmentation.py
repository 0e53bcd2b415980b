"""The contract of the family: every member of AUGMENTATIONS joins through one fixture."""

import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from handssl.augment import AUGMENTATIONS, Augmentation, Composition, apply_views, make_views
from handssl.augment.augmentation import Appearance, Frame, Geometric, Regressable
from handssl.augment.occasional import Occasional
from handssl.augment.registry import APPEARANCE_ORDER, GEOMETRIC_ORDER
from handssl.errors import ConfigError


@pytest.fixture(params=list(AUGMENTATIONS))
def member(request: pytest.FixtureRequest) -> Augmentation:
    return AUGMENTATIONS[request.param]()


def draw(member: Augmentation, n: int, seed: int = 0) -> Float[Tensor, "n columns"]:
    generator = torch.Generator().manual_seed(seed)
    return member.sample(torch.rand((n, len(member.columns)), generator=generator))


def test_it_is_listed_under_its_own_name_and_symbol_and_acts_once(member: Augmentation) -> None:
    assert AUGMENTATIONS[member.name] is type(member)
    assert [kind.symbol for kind in AUGMENTATIONS.values()].count(member.symbol) == 1
    assert (*GEOMETRIC_ORDER, *APPEARANCE_ORDER).count(member.name) == 1
    assert (member.name in GEOMETRIC_ORDER) == isinstance(member, Geometric)


def test_the_page_of_methods_lists_its_symbol_its_keys_and_their_defaults(
    member: Augmentation,
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    assert f"| `{member.name}` | {member.symbol} |" in page
    listed = dict(re.findall(rf"\| `{member.name}\.(\w+)` \| (\S+) \|", page))
    defaults = {name: float(Fraction(value)) for name, value in listed.items()}
    assert defaults == pytest.approx(dataclasses.asdict(member))


def test_every_magnitude_is_a_key_that_changes_what_is_sampled_or_applied(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"]
) -> None:
    plain = Composition.parse(member.name)
    for name, value in dataclasses.asdict(member).items():
        other = {"probability": 0.1, "kernel_frac": 0.3}.get(name, 0.9 * value + 0.02)
        changed = plain.with_magnitudes({f"{member.name}.{name}": other})
        a, b = (
            make_views(images, own, torch.Generator().manual_seed(11), size=48)
            for own in (plain, changed)
        )
        sampled = torch.equal(a.parameters[member.key], b.parameters[member.key])
        assert not (sampled and torch.equal(a.images, b.images)), name


def test_it_is_frozen_hashable_and_has_float_magnitudes(member: Augmentation) -> None:
    assert hash(member) == hash(type(member)())
    fields = dataclasses.fields(member)
    assert fields
    assert all(isinstance(getattr(member, own.name), float) for own in fields)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(member, fields[0].name, 1.0)


def test_it_samples_one_finite_row_of_named_columns_per_image(member: Augmentation) -> None:
    values = draw(member, 50)
    assert values.shape == (50, len(member.columns))
    assert values.dtype == torch.float32
    assert values.isfinite().all()
    assert len(torch.unique(values, dim=0)) > 1


@pytest.mark.parametrize("split", [1, 2, 3, 5])
def test_views_do_not_depend_on_how_the_batch_is_split(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"], split: int
) -> None:
    composition = Composition.parse(member.name)
    whole = make_views(images, composition, torch.Generator().manual_seed(5), size=32)
    generator = torch.Generator().manual_seed(5)
    parts = [
        make_views(part, composition, generator, size=32) for part in torch.split(images, split)
    ]
    assert torch.equal(whole.images, torch.cat([part.images for part in parts]))
    assert torch.equal(whole.matrix, torch.cat([part.matrix for part in parts]))
    for key, values in whole.parameters.items():
        assert torch.equal(values, torch.cat([part.parameters[key] for part in parts]))


def test_views_stay_in_range_and_differ_from_the_plain_crop(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"]
) -> None:
    views = make_views(
        images, Composition.parse(member.name), torch.Generator().manual_seed(1), size=48
    )
    plain = make_views(images, Composition.identity(), torch.Generator(), size=48)
    assert views.images.dtype == torch.float32
    assert 0 <= float(views.images.min()) <= float(views.images.max()) <= 1
    assert not torch.equal(views.images, plain.images)


def test_the_returned_parameters_make_the_same_views_again(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"]
) -> None:
    composition = Composition.parse(member.name)
    views = make_views(images, composition, torch.Generator().manual_seed(2), size=32)
    again = apply_views(images, composition, views.parameters, size=32)
    assert torch.equal(views.images, again.images)


def test_one_magnitude_out_of_range_is_refused_with_its_name(member: Augmentation) -> None:
    for own in dataclasses.fields(member):
        with pytest.raises(ConfigError, match=rf"{member.name}\.{own.name} must .*=-1\.0"):
            type(member)(**{own.name: -1.0})


def test_geometric_members_move_points_and_others_leave_the_matrix_alone(
    member: Augmentation,
    images: UInt8[Tensor, "6 3 64 64"],
    centre_px: Float[Tensor, "6 2"],
    side_px: Float[Tensor, " 6"],
) -> None:
    if not isinstance(member, Geometric):
        assert isinstance(member, Appearance)
        views, plain = (
            make_views(images, Composition.parse(name), torch.Generator(), size=32)
            for name in (member.name, "")
        )
        assert torch.equal(views.matrix, plain.matrix)
        return
    frame = Frame(centre_px=centre_px.double(), side_px=side_px.double(), source_px=64)
    matrix = member.matrix(draw(member, 6), frame)
    assert matrix.dtype == torch.float64
    assert (torch.linalg.det(matrix[:, :2, :2]) > 0).all()  # never mirrored
    assert torch.equal(matrix[:, 2], torch.tensor([[0.0, 0.0, 1.0]]).double().expand(6, 3))


def test_occasional_members_record_whom_they_changed(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"]
) -> None:
    if not isinstance(member, Occasional):
        return
    composition = Composition.parse(member.name)
    views = make_views(images, composition, torch.Generator().manual_seed(11), size=48)
    plain = make_views(images, Composition.identity(), torch.Generator(), size=48)
    applied = views.parameters[member.name][:, 0].bool()
    assert 0 < int(applied.sum()) < 6
    changed = (views.images != plain.images).flatten(1).any(1)
    assert torch.equal(changed, applied)
    share = draw(member, 20_000)[:, 0].mean()
    torch.testing.assert_close(share, torch.tensor(0.5), atol=0.02, rtol=0)


def test_the_studys_four_can_be_regressed_and_no_other(member: Augmentation) -> None:
    study = {"translate", "scale", "rotate", "color_jitter"}
    assert isinstance(member, Regressable) == (member.name in study)
    if isinstance(member, Regressable):
        values_i, values_j = draw(member, 30, seed=1), draw(member, 30, seed=2)
        difference = member.difference(values_i, values_j)
        assert difference.shape == (30, len(member.columns))
        assert len(member.difference_std()) == len(member.columns)
        torch.testing.assert_close(member.difference(values_j, values_i), -difference)


def test_neutral_parameters_make_the_plain_crop(
    member: Augmentation, images: UInt8[Tensor, "6 3 64 64"], side_px: Float[Tensor, " 6"]
) -> None:
    if not isinstance(member, Regressable):
        return
    assert len(member.neutral) == len(member.columns)
    plain = make_views(images, Composition.identity(), torch.Generator(), size=32, side_px=side_px)
    neutral = torch.tensor(member.neutral).expand(6, -1)
    views = apply_views(
        images, Composition.parse(member.name), {member.key: neutral}, size=32, side_px=side_px
    )
    torch.testing.assert_close(views.matrix, plain.matrix)
    torch.testing.assert_close(views.images, plain.images, atol=1e-6, rtol=0)
