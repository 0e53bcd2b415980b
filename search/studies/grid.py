"""The study of `run_grid.py`: a grid or a sampled search, then a second stage."""

import dataclasses
from collections.abc import Sequence

from rich.console import Console

from handssl.records.uri import join_uri
from search.cluster.resources import check_resources
from search.config.schema import Config
from search.config.search import EarlyStopping
from search.space.grid import grid
from search.studies.baselines import baselines_of
from search.studies.checks import check_first_step, check_metrics, check_points, check_writable
from search.studies.describe import describe
from search.studies.run import run_study
from search.studies.sampled import sampled_stage, warm_start
from search.studies.second_stage import second_stage
from search.studies.study import Study, fixed_stage
from search.trials.datasets import images_of, open_data
from search.trials.pretrain import PretrainTrial
from search.trials.resolve import Resolver, rungs_of


def run_grid(
    config: Config, *, console: Console, verbose: bool = False, overrides: Sequence[str] = ()
) -> int:
    """Run the study of a search; returns the exit status of the command.

    Raises:
        HandSSLError: The study cannot run; nothing has been started then.
    """
    return run_study(grid_study(config, console, overrides), console, verbose=verbose)


def grid_study(config: Config, console: Console, overrides: Sequence[str] = ()) -> Study:
    """The study of a search; its data set is built if it is missing.

    Raises:
        HandSSLError: The study cannot run.
    """
    search, resolver = config.search, resolver_of(config)
    check_resources(config.trial, config.cluster)
    check_points(search, resolver)
    check_writable(join_uri(config.results, config.study.name))
    first_points = warm_start(search)
    store = resolver.images.combine([open_data(config.data, console)])
    resolver = dataclasses.replace(resolver, fingerprint=store.fingerprint)
    planned: list[PretrainTrial] = []
    examples: list[PretrainTrial] = []
    if search.kind == "grid":
        planned = resolver.resolve_all(grid(search))
        first = fixed_stage(planned, config.trial)
    else:
        stopping = EarlyStopping()
        choices = dataclasses.replace(search, kind="grid", space={}, early_stopping=stopping)
        examples = resolver.resolve_all(grid(choices)[-1:])
        first = sampled_stage(search, resolver)
    check_first_step(planned or examples, store)
    check_metrics(search, config.trial.diagnostics, store)
    return Study(
        config=config,
        baselines=baselines_of(resolver, store, seeds=search.baseline_seeds),
        stages=(first, second_stage(search, resolver, first)),
        planned=planned,
        examples=examples,
        stores={resolver.images: store},
        search=search,
        first_points=first_points,
        description=describe(
            config,
            script="search/run_grid.py",
            overrides=overrides,
            name=config.data.name,
            fingerprint=store.fingerprint,
            boxes=store.info["boxes"],
            stores=[store],
            encoders=[config.trial.pretrain.encoder.name],
            trials=planned,
        ),
    )


def resolver_of(config: Config, fingerprint: str = "") -> Resolver:
    """Resolves the points of a search; the images' fingerprint is a part of a trial's identity."""
    search = config.search
    return Resolver(
        objectives=search.objectives,
        trial=config.trial,
        study=config.study,
        images=images_of(config.data, config.study.images),
        fingerprint=fingerprint,
        rungs=rungs_of(search, search.early_stopping, config.study.epochs),
    )
