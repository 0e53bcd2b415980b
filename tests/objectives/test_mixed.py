"""Mixed objectives: which pairs are made, and how the parts add up."""

from collections.abc import Callable

import pytest
import torch

from handssl.augment import Composition
from handssl.errors import ConfigError
from handssl.objectives import ViewPair, build_objective, objective_config
from handssl.objectives.mixed import MixedObjective

TEXT = "rotate:relative+color_jitter:contrastive+scale:contrastive"


def build(text: str = TEXT, **config: object) -> MixedObjective:
    torch.manual_seed(0)
    objective = build_objective(
        objective_config("mixed", hidden_dim=16, **config), Composition.parse(text), 8
    )
    assert isinstance(objective, MixedObjective)
    return objective


def test_separate_pairs_have_the_augmentations_of_their_objective() -> None:
    assert [own.label for own in build().pairs] == ["CJ+S", "Ro"]


def test_a_shared_pair_has_all_and_regresses_those_assigned() -> None:
    objective = build(mixture="shared")
    assert [own.label for own in objective.pairs] == ["CJ+S+Ro"]
    assert objective.parts["relative"].names == ("rotate",)


@pytest.mark.parametrize("mixture", ["separate", "shared"])
def test_the_loss_is_the_weighted_sum_of_the_parts(
    make_pair: Callable[..., ViewPair], mixture: str
) -> None:
    objective = build(mixture=mixture, contrastive_weight=0.25)
    pairs = [make_pair(own) for own in objective.pairs]
    output = objective(pairs)
    contrastive = objective.parts["contrastive"]([pairs[0]]).loss
    relative = objective.parts["relative"]([pairs[-1]]).loss
    torch.testing.assert_close(output.loss, 0.25 * contrastive + relative)
    torch.testing.assert_close(output.terms["loss/contrastive"], contrastive.detach())


def test_a_trainable_weight_is_one_over_sigma_with_its_penalty(
    make_pair: Callable[..., ViewPair],
) -> None:
    objective = build(contrastive_weighting="sigma")
    with torch.no_grad():
        objective.log_sigma["contrastive"].fill_(0.7)
    output = objective([make_pair(own) for own in objective.pairs])
    expected = (
        output.terms["loss/contrastive"] / output.terms["sigma/contrastive"]
        + 0.7
        + output.terms["loss/relative"]
    )
    torch.testing.assert_close(output.loss.detach(), expected)


def test_equivariant_parts_join_the_contrastive_term_of_a_shared_pair() -> None:
    objective = build("rotate:equivariant+translate:relative+scale:equivariant", mixture="shared")
    assert set(objective.parts) == {"equivariant", "relative"}
    assert objective.parts["equivariant"].undone == {"rotate", "scale"}


@pytest.mark.parametrize("text", ["", "rotate", "rotate:relative+scale"])
def test_what_is_not_assigned_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must assign an objective to each augmentation"):
        build(text)
