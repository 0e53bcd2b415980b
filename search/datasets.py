"""The study's images: generated where they are embedded, converted to a store, opened."""

from pathlib import Path

from rich.console import Console

from handssl.commands.progress import progress_bars
from handssl.data import Store, open_or_build_store, open_store
from handssl.synthetic import generate_freihand, generate_interhand
from search.config import DataConfig

__all__ = ["open_data"]

_STAGES = {"shards": "converting to a store", "decode": "decoding pixels"}


def open_data(config: DataConfig, console: Console) -> Store:
    """The store of a configured data set; built, and for embedded data generated, if missing.

    Raises:
        DataError: The raw data is missing or broken, or does not fit the store.
    """
    if config.name == "joined":
        with progress_bars(console) as advance:
            return open_store(config.store, source_px=config.source_px).prepare(
                progress=lambda stage, done, total: advance(_STAGES[stage], done, total)
            )
    root = Path(config.root)
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
            root,
            config.store,
            dataset=_format(config),
            name=config.name,
            splits=config.splits,
            annotator=config.annotator,
            boxes=config.boxes,
            boxes_file=config.boxes_file,
            source_px=config.source_px,
            strict=config.strict,
            progress=lambda stage, done, total: advance(_STAGES[stage], done, total),
        )
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


def _format(config: DataConfig) -> str:
    """The layout of the raw folder; embedded hands are written in that of what they look like."""
    return {"synthetic": "freihand", "synthetic_interhand": "interhand"}.get(
        config.name, config.name
    )
