"""The study's images: generated where they are embedded, converted to a store, opened."""

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


def open_data(
    config: DataConfig,
    console: Console,
    *,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
) -> Store:
    """The store of a configured data set; built, and for embedded data generated, if missing.

    Args:
        config: Which data set.
        console: Where progress goes.
        runner: Builds the shards; default processes of this machine.
        announce: Called with the size forecast before a store is begun.

    Raises:
        DataError: The raw data is missing or broken, or does not fit the store.
    """
    if config.name == "joined":
        with progress_bars(console) as advance:
            return open_store(local_store(config.store), source_px=config.source_px).prepare(
                progress=lambda stage, done, total: advance(_STAGES[stage], done, total)
            )
    root, out = Path(config.root), local_store(config.store, missing_ok=True)
    with progress_bars(console) as advance:

        def generated(done: int, total: int) -> None:
            advance("generating hands", done, total)

        if config.name == "synthetic":
            generate_freihand(
                root,
                poses=config.poses,
                seed=config.seed,
                versions=config.versions,
                progress=generated,
            )
        elif config.name == "synthetic_interhand":
            generate_interhand(
                root,
                poses=config.poses,
                seed=config.seed,
                cameras=config.versions,
                progress=generated,
            )
        store = open_or_build_store(
            _raw_folder(config),
            out,
            _options(config),
            source_px=config.source_px,
            runner=runner,
            announce=announce,
            progress=lambda stage, done, total: advance(_STAGES[stage], done, total),
        )
    upload_store(config.store)
    skipped = store.info["skipped"]
    if skipped:
        file, reason = skipped[0]
        console.print(
            f"note: {len(skipped)} images of {root} could not be used and were skipped; the "
            f"first, {file}: {reason}",
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
        dataset=_format(config),
        splits=config.splits,
        annotator=config.annotator,
        strict=config.strict,
    )


def _options(config: DataConfig) -> StoreOptions:
    return StoreOptions(name=config.name, boxes=config.boxes, boxes_file=config.boxes_file)


def _format(config: DataConfig) -> str:
    """The layout of the raw folder; embedded hands are written in that of what they look like."""
    return {"synthetic": "freihand", "synthetic_interhand": "interhand"}.get(
        config.name, config.name
    )
