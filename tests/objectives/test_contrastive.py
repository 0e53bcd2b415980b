"""The contrastive objective: head and terms."""

from collections.abc import Callable

import torch
from torch import nn

from handssl.augment import Composition
from handssl.objectives import ViewPair, build_objective, nt_xent, objective_config
from handssl.objectives.contrastive import ContrastiveObjective


def test_the_head_is_the_studys() -> None:
    objective = build_objective(objective_config(), Composition.parse("T"), 512)
    assert isinstance(objective, ContrastiveObjective)
    first, norm, activation, last = objective.head
    assert isinstance(first, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(activation, nn.ReLU)
    assert isinstance(last, nn.Linear)
    assert (first.in_features, first.out_features) == (512, 2048)
    assert (last.in_features, last.out_features) == (2048, 128)
    assert last.bias is None


def test_the_loss_is_nt_xent_of_the_projections(make_pair: Callable[..., ViewPair]) -> None:
    composition = Composition.parse("T")
    objective = build_objective(objective_config(temperature=0.2), composition, 8)
    assert isinstance(objective, ContrastiveObjective)
    pair = make_pair(composition, n=10, dim=8)
    output = objective([pair])
    assert torch.equal(output.loss, nt_xent(*objective.project(pair), temperature=0.2))
    assert float(output.terms["negatives_per_anchor"]) == 18
