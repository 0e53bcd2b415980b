"""The relative objective: its sum, its σ, its errors in physical units."""

import math
from collections.abc import Callable

import pytest
import torch

from handssl.augment import Composition
from handssl.errors import ConfigError
from handssl.objectives import ViewPair, build_objective, objective_config, relative_targets
from handssl.objectives.relative import RelativeObjective


def build(composition: Composition, **config: str) -> RelativeObjective:
    torch.manual_seed(0)
    objective = build_objective(objective_config("relative", **config), composition, 8)
    assert isinstance(objective, RelativeObjective)
    return objective


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_loss_is_equation_3_over_both_orders(
    make_pair: Callable[..., ViewPair], norm: str
) -> None:
    composition = Composition.parse("T+Ro")
    objective = build(composition, norm=norm)
    with torch.no_grad():
        objective.log_sigma["translate"].fill_(0.3)
        objective.log_sigma["rotate"].fill_(-0.2)
    pair = make_pair(composition, n=7)
    expected = torch.zeros(())
    for name, log_sigma in (("translate", 0.3), ("rotate", -0.2)):
        terms = []
        for swap in (False, True):
            h_i, h_j = pair.features_a, pair.features_b
            v_i, v_j = pair.a.parameters, pair.b.parameters
            if swap:
                h_i, h_j, v_i, v_j = h_j, h_i, v_j, v_i
            target = relative_targets(v_i, v_j, [name])[name]
            for row in range(7):
                residual = target[row] - objective.heads[name](h_i, h_j)[row]
                terms.append(residual.abs().mean() if norm == "l1" else residual.norm())
        expected = expected + torch.stack(terms).mean() / math.exp(log_sigma) + log_sigma
    torch.testing.assert_close(objective([pair]).loss, expected)


def test_the_released_form_uses_one_order(make_pair: Callable[..., ViewPair]) -> None:
    composition = Composition.parse("Ro")
    objective = build(composition, targets="released")
    pair = make_pair(composition, n=7)
    target = relative_targets(pair.a.parameters, pair.b.parameters, ["rotate"], targets="released")
    residual = target["rotate"] - objective.heads["rotate"](pair.features_a, pair.features_b)
    torch.testing.assert_close(objective([pair]).loss, residual.abs().mean())


@pytest.mark.parametrize("rotation", ["angle", "sincos"])
def test_errors_are_logged_in_physical_units(
    make_pair: Callable[..., ViewPair], rotation: str
) -> None:
    composition = Composition.parse("T+S+Ro")
    objective = build(composition, rotation=rotation)
    with torch.no_grad():
        for head in objective.heads.values():
            for parameter in head.parameters():
                parameter.zero_()
        if rotation == "sincos":  # the constant answer "not rotated"
            last = list(objective.heads["rotate"].parameters())[-1]
            last.copy_(torch.tensor([0.0, 1.0]))
    pair = make_pair(composition)
    terms = objective([pair]).terms
    a, b = pair.a.parameters, pair.b.parameters
    for name, expected in (
        ("rotate_deg", (a["rotate"] - b["rotate"]).abs().mean()),
        ("translate_frac", (a["translate"] - b["translate"]).abs().mean()),
        ("scale_ratio", (a["scale"] / b["scale"]).log().abs().mean().exp()),
    ):
        torch.testing.assert_close(terms[f"error/{name}"], expected, atol=1e-4, rtol=1e-4)


def test_only_what_can_be_regressed_gets_a_head() -> None:
    objective = build(Composition.parse("T+CJ+cutout+sobel+crop"))
    assert set(objective.heads) == {"translate", "color_jitter"}
    widths = {name: len(list(head.parameters())[-1]) for name, head in objective.heads.items()}
    assert widths == {"translate": 2, "color_jitter": 4}


def test_the_spread_follows_the_magnitudes() -> None:
    wide = build(Composition.parse("Ro").with_magnitudes({"rotate.max_deg": 90.0}))
    usual = build(Composition.parse("Ro"))
    ratio = wide.standard_deviations["rotate"][0] / usual.standard_deviations["rotate"][0]
    assert math.isclose(ratio, 2)


@pytest.mark.parametrize("composition", ["", "sobel+cutout", "crop/color_drop"])
def test_a_composition_with_nothing_to_regress_is_refused(composition: str) -> None:
    with pytest.raises(ConfigError, match="translate, color_jitter, scale, rotate for the rel"):
        build(Composition.parse(composition))


def test_views_that_differ_are_told_apart_by_what_either_has(
    make_pair: Callable[..., ViewPair],
) -> None:
    composition = Composition.parse("T+Ro/Ro+S")
    objective = build(composition)
    assert objective.names == ("translate", "scale", "rotate")
    with torch.no_grad():
        for parameter in objective.heads.parameters():
            parameter.zero_()
    pair = make_pair(composition)
    terms = objective([pair]).terms
    a, b = pair.a.parameters, pair.b.parameters
    # The second view is not shifted, and the first has the nominal margin 1.25.
    for name, expected in (
        ("translate_frac", a["translate"].abs().mean()),
        ("scale_ratio", (b["scale"] / 1.25).log().abs().mean().exp()),
        ("rotate_deg", (a["rotate"] - b["rotate"]).abs().mean()),
    ):
        torch.testing.assert_close(terms[f"error/{name}"], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("targets", ["standardised", "released"])
def test_sigma_is_logged_in_physical_units_as_well(
    make_pair: Callable[..., ViewPair], targets: str
) -> None:
    composition = Composition.parse("T+CJ+S+Ro")
    objective = build(composition, targets=targets)
    with torch.no_grad():
        for own in objective.log_sigma.values():
            own.fill_(math.log(0.5))
    terms = objective([make_pair(composition)]).terms
    logged = {name: float(value) for name, value in terms.items() if name.startswith("sigma/")}
    # Half a standard deviation of the difference of two angles uniform in ±45°.
    expected = {"sigma/rotate_deg": 0.5, "sigma/translate_px": 0.5, "sigma/scale_margin": 0.5}
    if targets == "standardised":
        spread = objective.standard_deviations
        expected = {
            "sigma/rotate_deg": 0.5 * math.sqrt(2) * 45 / math.sqrt(3),
            "sigma/translate_frac": 0.5 * spread["translate"][0],
            "sigma/scale_ratio": math.exp(0.5 * spread["scale"][0]),
        }
    own_units = {f"sigma/{name}": 0.5 for name in ("translate", "color_jitter", "scale", "rotate")}
    assert logged == pytest.approx(expected | own_units)
