"""`handssl data build|join|inspect|doctor`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from handssl.commands.arguments import fields_of
from handssl.commands.printing import print_lines
from handssl.data import RawFolder, Store, StoreOptions, build_store, open_store, write_joined
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
    add("--boxes", choices=BOX_KINDS, default="joints", help="joints: as in the paper, of labels")
    add("--boxes-file", type=Path, help="JSON of [x, y, width, height] by source id")
    add("--stored-px", type=int, default=224, help="largest side of a stored image, pixels")
    add("--name", help="the store's name")
    add("--strict", action="store_true", help="refuse unusable images instead of skipping them")
    add("--processes", type=int, help="worker processes; default every core")
    add("--no-decode", action="store_true", help="decode the pixels later, at their first use")
    add = parser.add_argument_group("synthetic hands").add_argument
    add("--poses", type=int, default=1500, help="unique training poses")
    add("--seed", type=int, default=0)
    add("--domain", choices=("freihand", "interhand"), default="freihand")
    add("--versions", type=int, default=4, help="backgrounds of a pose (freihand)")
    add("--evaluation", type=int, default=0, help="evaluation poses (freihand)")
    add("--uniform-views", type=float, help="share of random viewpoints (freihand); default 0.15")
    add("--cameras", type=int, default=4, help="cameras of a pose (interhand)")
    parser.set_defaults(run=_build)


def _configure_join(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("stores", nargs="+", type=Path, help="folders of stores with different names")
    shares = "share of each store in an epoch's training rows, with sum 1; default every row once"
    add("--weights", nargs="+", type=float, help=shares)
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

        if arguments.dataset == "synthetic":
            arguments.dataset = arguments.domain
            arguments.name = arguments.name or _SYNTHETIC[arguments.domain]
            _generate(arguments, lambda done, total: report("generate", done, total))
        raw = RawFolder(**fields_of(RawFolder, arguments))
        options = StoreOptions(**fields_of(StoreOptions, arguments))
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
    if arguments.domain == "interhand":
        shared["cameras"] = arguments.cameras
        synthetic.generate_interhand(arguments.root, progress=progress, **shared)
        return
    shared |= {"versions": arguments.versions, "evaluation": arguments.evaluation}
    if arguments.uniform_views is not None:
        shared["uniform_views"] = arguments.uniform_views
    synthetic.generate_freihand(arguments.root, progress=progress, **shared)


def _print_summary(console: Console, out: Path, store: Store) -> None:
    info = store.info
    counts = ", ".join(f"{count:,} {name}" for name, count in info["counts"].items())
    lines = [f"{out}: {info['name']}, {counts}, boxes={info['boxes']}, {store.fingerprint[:16]}"]
    lines += [f"left out: {count:,} × {kind}" for kind, count in info["left_out"].items()]
    skipped = info["skipped"]
    if skipped:
        lines.append(f"skipped {len(skipped):,} unusable images; the first: {skipped[0][1]}")
    print_lines(console, *lines, f"draw some images: handssl data inspect {out} --out sheet.png")


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
    print_lines(Console(), f"wrote {out}")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    console = Console()
    with progress_bars(console) as advance:
        findings = examine(
            arguments.root, progress=lambda stage, *counts: advance(_STAGES[stage], *counts)
        )
    for finding in findings:
        advice = f"; {finding.advice}" if finding.advice else ""
        text = f"{finding.level:>7}  {finding.text}{advice}"
        print_lines(console, text, style=_STYLES[finding.level])
    return int(any(finding.level == "error" for finding in findings))
