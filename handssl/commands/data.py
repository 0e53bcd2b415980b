"""`handssl data build|join|inspect|doctor`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from handssl.data import (
    RawFolder,
    Store,
    StoreOptions,
    build_store,
    open_store,
    write_joined,
)
from handssl.data.doctor.examine import examine
from handssl.data.store.boxes import BOX_KINDS
from handssl.drawing import contact_sheet
from handssl.errors import ConfigError
from handssl.progress import progress_bars

_STAGES: Final = {
    "shards": "converting",
    "decode": "decoding pixels",
    "generate": "generating hands",
    "check": "checking",
}
_SYNTHETIC: Final = {"freihand": "synthetic", "interhand": "synthetic-interhand"}
"""Names of the stores of both domains."""

_STYLES: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the four actions and their arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _configure_build(actions.add_parser("build", help="convert a raw data set to a store"))
    _configure_join(actions.add_parser("join", help="combine several stores into one"))
    _configure_inspect(actions.add_parser("inspect", help="draw a contact sheet of a store"))
    doctor = actions.add_parser("doctor", help="check a raw folder or a store")
    doctor.add_argument("root", type=Path, help="raw FreiHAND or InterHand2.6M folder, or a store")
    doctor.set_defaults(run=_doctor)


def _configure_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", choices=("synthetic", "freihand", "interhand"), help="data set to build")
    add("--root", type=Path, required=True, help="raw folder (synthetic: written by this command)")
    add("--out", type=Path, required=True, help="the store's folder")
    add("--splits", nargs="+", help="raw splits; default training, or train and val")
    add("--annotator", default="all", help="InterHand v0: all, human_annot or machine_annot")
    add(
        "--boxes",
        choices=BOX_KINDS,
        default="joints",
        help="joints (as in the paper, uses labels)",
    )
    add("--boxes-file", type=Path, help="JSON of [x, y, width, height] by source id")
    add("--stored-px", type=int, default=224, help="largest side of a stored image, pixels")
    add("--name", help="the store's name")
    add("--strict", action="store_true", help="refuse unusable images instead of skipping them")
    add("--processes", type=int, help="worker processes; default every core")
    add("--no-decode", action="store_true", help="decode the pixels later, at their first use")
    synthetic = parser.add_argument_group("synthetic hands")
    synthetic.add_argument("--poses", type=int, default=1500, help="unique training poses")
    synthetic.add_argument("--seed", type=int, default=0)
    synthetic.add_argument("--domain", choices=("freihand", "interhand"), default="freihand")
    synthetic.add_argument(
        "--versions", type=int, default=4, help="backgrounds of a pose (freihand)"
    )
    synthetic.add_argument("--evaluation", type=int, default=0, help="evaluation poses (freihand)")
    synthetic.add_argument(
        "--uniform-views", type=float, help="share of random viewpoints (freihand); default 0.15"
    )
    synthetic.add_argument("--cameras", type=int, default=4, help="cameras of a pose (interhand)")
    parser.set_defaults(run=_build)


def _configure_join(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("stores", nargs="+", type=Path, help="folders of stores with different names")
    add(
        "--weights",
        nargs="+",
        type=float,
        help="share of each store in the training rows of an epoch, with sum 1; default every row "
        "once",
    )
    add("--out", type=Path, required=True, help="the combined store's folder")
    parser.set_defaults(run=_join)


def _configure_inspect(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("store", type=Path)
    add("--out", type=Path, required=True, help="the picture: .png or .jpg")
    add("--count", type=int, default=24, help="number of images, spread over the store")
    add("--columns", type=int, default=6)
    add("--split", help="train, val or test; default all")
    add("--views", help='draw augmented views of this composition, e.g. "T+S+Ro"')
    add("--seed", type=int, default=0, help="seed of the views")
    parser.set_defaults(run=_inspect)


def _build(arguments: argparse.Namespace) -> int:
    console = Console()
    out: Path = arguments.out
    with progress_bars(console) as advance:

        def report(stage: str, done: int, total: int) -> None:
            advance(_STAGES[stage], done, total)

        name = arguments.name
        dataset = arguments.dataset
        if dataset == "synthetic":
            dataset, name = arguments.domain, name or _SYNTHETIC[arguments.domain]
            _generate(arguments, lambda done, total: report("generate", done, total))
        raw = RawFolder(
            root=arguments.root,
            dataset=dataset,
            splits=arguments.splits,
            annotator=arguments.annotator,
            strict=arguments.strict,
        )
        options = StoreOptions(
            name=name,
            boxes=arguments.boxes,
            boxes_file=arguments.boxes_file,
            stored_px=arguments.stored_px,
        )
        build_store(
            raw.readers(),
            out,
            options,
            processes=arguments.processes,
            announce=lambda expected: console.print(f"expected: {expected}", highlight=False),
            progress=report,
        )
        store = open_store(out)
        if not arguments.no_decode:
            store.prepare(processes=arguments.processes, progress=report)
    _print_summary(console, out, store)
    return 0


def _generate(arguments: argparse.Namespace, progress: Callable[[int, int], None]) -> None:
    """Write the raw folder of synthetic hands, unless it exists."""
    from handssl import synthetic  # noqa: PLC0415 -- real data need no renderer

    shared = {"poses": arguments.poses, "seed": arguments.seed, "workers": arguments.processes}
    if arguments.domain == "freihand":
        if arguments.uniform_views is not None:
            shared["uniform_views"] = arguments.uniform_views
        synthetic.generate_freihand(
            arguments.root,
            versions=arguments.versions,
            evaluation=arguments.evaluation,
            progress=progress,
            **shared,
        )
    else:
        synthetic.generate_interhand(
            arguments.root, cameras=arguments.cameras, progress=progress, **shared
        )


def _print_summary(console: Console, out: Path, store: Store) -> None:
    info = store.info
    counts = ", ".join(f"{count:,} {name}" for name, count in info["counts"].items())
    lines = [f"{out}: {info['name']}, {counts}, boxes={info['boxes']}, {store.fingerprint[:16]}"]
    lines += [f"left out: {count:,} × {kind}" for kind, count in info["left_out"].items()]
    skipped = info["skipped"]
    if skipped:
        lines.append(f"skipped {len(skipped):,} unusable images; the first: {skipped[0][1]}")
    lines.append(f"draw some images: handssl data inspect {out} --out sheet.png")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _join(arguments: argparse.Namespace) -> int:
    store = write_joined(arguments.out, arguments.stores, weights=arguments.weights)
    _print_summary(Console(), arguments.out, store)
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.store)
    store = store.split(arguments.split) if arguments.split else store
    out: Path = arguments.out
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"out must end in .png or .jpg, but got out={out}")
    sheet = contact_sheet(
        store,
        count=arguments.count,
        columns=arguments.columns,
        views=arguments.views,
        seed=arguments.seed,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    Console().print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    console = Console()
    with progress_bars(console) as advance:
        findings = examine(
            arguments.root,
            progress=lambda stage, done, total: advance(_STAGES[stage], done, total),
        )
    for finding in findings:
        text = f"{finding.level:>7}  {finding.text}"
        console.print(
            text + (f"; {finding.advice}" if finding.advice else ""),
            style=_STYLES[finding.level],
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return int(any(finding.level == "error" for finding in findings))
