"""The study's images: generated if they are synthetic, converted to a store, opened."""

import functools
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from handssl.data import RawFolder, Store, StoreOptions, open_or_build_store, open_store
from handssl.data.store.build import forecast_store
from handssl.data.store.forecast import Forecast
from handssl.data.store.parallel import JobRunner
from handssl.progress import progress_bars
from handssl.synthetic import generate_freihand, generate_interhand
from search.config.schema import DataConfig
from search.storage.folder import absolute_uri, local_store, upload_store
from search.trials.images import Images

_STAGES = {"shards": "converting to a store", "decode": "decoding pixels"}
_GENERATORS: dict[str, tuple[Callable[..., object], str]] = {
    "synthetic": (generate_freihand, "versions"),
    "synthetic_interhand": (generate_interhand, "cameras"),
}
"""The generators of synthetic hands, with their parameter that `data.versions` sets."""
_FORMATS = {"synthetic": "freihand", "synthetic_interhand": "interhand"}
"""The layouts in which synthetic hands are written."""


def open_data(
    config: DataConfig,
    console: Console,
    *,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
) -> Store:
    """The store of a configured data set; built, and for synthetic hands generated, if missing.

    Args:
        config: Which data set.
        console: Where progress goes.
        runner: Builds the shards; default processes of this machine.
        announce: Called with the size forecast before a store is begun.

    Raises:
        DataError: The raw data is missing or broken, or does not fit the store.
    """
    out = local_store(config.store, missing_ok=config.name != "joined")
    with progress_bars(console) as advance:

        def converted(stage: str, done: int, total: int) -> None:
            advance(_STAGES[stage], done, total)

        if config.name == "joined":
            return open_store(out, source_px=config.source_px).prepare(progress=converted)
        if config.name in _GENERATORS:
            generate, versions = _GENERATORS[config.name]
            generate(
                Path(config.root),
                poses=config.poses,
                seed=config.seed,
                progress=functools.partial(advance, "generating hands"),
                **{versions: config.versions},
            )
        store = open_or_build_store(
            _raw_folder(config),
            out,
            _options(config),
            source_px=config.source_px,
            runner=runner,
            announce=announce,
            progress=converted,
        )
    upload_store(config.store)
    skipped = store.info["skipped"]
    if skipped:
        file, reason = skipped[0]
        console.print(
            f"note: {len(skipped)} images of {Path(config.root)} could not be used and were "
            f"skipped; the first, {file}: {reason}",
            style="yellow",
            markup=False,
        )
    return store


def images_of(config: DataConfig, count: int | None) -> Images:
    """The first `count` images of a configured data set, None for all; opens nothing."""
    return Images(stores=(absolute_uri(config.store),), source_px=(config.source_px,), count=count)


def expected_size(config: DataConfig) -> Forecast:
    """How large the store of a raw data set will be; writes nothing.

    Raises:
        DataError: The raw data is missing or broken.
    """
    out = local_store(config.store, missing_ok=True)
    return forecast_store(_raw_folder(config).readers(), out, _options(config))


def _raw_folder(config: DataConfig) -> RawFolder:
    return RawFolder(
        root=config.root,
        dataset=_FORMATS.get(config.name, config.name),
        splits=config.splits,
        annotator=config.annotator,
        strict=config.strict,
    )


def _options(config: DataConfig) -> StoreOptions:
    return StoreOptions(name=config.name, boxes=config.boxes, boxes_file=config.boxes_file)
