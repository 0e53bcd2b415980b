"""Tables 2 to 4 and 6 to 9: across data sets, and against supervised training."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from analysis.published import TRANSFER, TransferRow, TransferTable
from analysis.records import Study
from analysis.tables.model import ONE_SEED, Entry, Table, columns, number, result, section
from analysis.transfer import MeasuredRow, TransferKey, encoder_name, measured_rows

_TITLES = {
    2: "Table 2: across data sets, ResNet-18",
    3: "Table 3: across data sets, HRNet, Procrustes-aligned",
    4: "Table 4: against supervised training, HRNet, Procrustes-aligned",
    6: "Table 6: across data sets, HRNet, unaligned",
    7: "Table 7: against supervised training, HRNet, unaligned",
    8: "Table 8: FreiHAND, against other systems",
    9: "Table 9: InterHand2.6M, against other systems",
}
_NAMES = {
    "mpjpe_cm": ("MPJE", " (cm)", "↓", 2),
    "median_pje_cm": ("median PJE", " (cm)", "↓", 2),
    "auc_50cm": ("AUC 0–50 cm", "", "↑", 3),
    "auc_5cm": ("AUC 0–5 cm", "", "↑", 3),
}


def _column(metric: str) -> tuple[str, str, str, int]:
    """Name, unit, direction and digits of a metric."""
    prefix, _, rest = metric.partition("_")
    if prefix not in ("pa", "ra"):
        return _NAMES[metric]
    name, unit, better, digits = _NAMES[rest]
    return f"{prefix.upper()} {name}", unit, better, digits


def transfer_tables(studies: Iterable[Study]) -> tuple[Table, ...]:
    """All seven tables in the paper's layout, ours (or `not run`) beside the published."""
    studies = tuple(studies)
    runs = measured_rows(studies)
    numbered = groupby(TRANSFER, key=lambda half: half.number)
    return tuple(_table(key, list(halves), runs, studies) for key, halves in numbered)


def _metrics(halves: Sequence[TransferTable]) -> list[str]:
    """Metrics of all halves: a half without a metric shows a dash, as in the paper."""
    every = [metric for half in halves for metric in half.rows[-1].values]
    order = ["mpjpe", "median", "auc_50", "auc_5"]
    unique = list(dict.fromkeys(every))
    return sorted(unique, key=lambda m: next(i for i, part in enumerate(order) if part in m))


def _table(
    table: int,
    halves: Sequence[TransferTable],
    runs: Mapping[TransferKey, list[MeasuredRow]],
    studies: Sequence[Study],
) -> Table:
    metrics = _metrics(halves)
    heads = [*columns("*Model")]
    for metric in metrics:
        name, unit, better, _ = _column(metric)
        heads += columns(f"ours{unit}", f"published{unit}", group=f"{name} {better}")
    sections, used = [], []
    for half in halves:
        key = TransferKey(encoder=half.encoder, fit=half.fit, evaluate=half.evaluate)
        ours = runs.get(key, [])
        used += ours
        sections.append(section(_rows(half, ours, metrics), half.heading))
    return Table(
        key=f"table{table}_transfer",
        title=_TITLES[table],
        columns=tuple(heads),
        sections=tuple(sections),
        caption=_caption(used, studies),
    )


def _rows(
    half: TransferTable, runs: Sequence[MeasuredRow], metrics: Sequence[str]
) -> Iterable[tuple[Entry, ...]]:
    for row in half.rows:
        matching = [run for run in runs if run.key == row.key]
        for run in matching:
            name = row.model if len(matching) == 1 else f"{row.model} · {run.study.name}"
            yield _row(name, row, run, metrics)
        if not matching:
            yield _row(row.model, row, None, metrics)
    known = {row.key for row in half.rows}
    for run in sorted(runs, key=lambda run: run.key):
        if run.key not in known:
            yield _row(f"{run.title}, ours only", None, run, metrics)


def _row(
    name: str, printed: TransferRow | None, run: MeasuredRow | None, metrics: Sequence[str]
) -> tuple[Entry, ...]:
    entries = [Entry(text=name)]
    foreign = printed is not None and not printed.key
    for metric in metrics:
        digits = _column(metric)[3]
        if run is not None:
            entries.append(result(run.setting.summary(metric), "finished", digits))
        else:
            entries.append(Entry(text="–" if foreign else "not run", absent=True))
        entries.append(number(printed.values.get(metric) if printed else None, digits))
    return tuple(entries)


def _caption(runs: Sequence[MeasuredRow], studies: Sequence[Study]) -> str:
    words = (
        "PA: Procrustes-aligned, RA: root-aligned. AUC 0–50 cm is the paper's range, "
        "AUC 0–5 cm FreiHAND's official one; they are never mixed. A dash: not published."
    )
    if not runs:
        names = ", ".join(study.name for study in studies)
        return f"Not run in {names}. Published: the paper's runs on the full data sets. {words}"
    fidelities = dict.fromkeys(run.study.title for run in runs)
    encoders = dict.fromkeys(encoder_name(run.setting.first.config) for run in runs)
    seeds = sorted({run.setting.seeds for run in runs})
    spread = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return (
        f"Ours: {'; '.join(fidelities)}; {', '.join(encoders)}; seeds a row: {spread}; mean ± "
        f"standard deviation, {ONE_SEED} one seed only. Published: the paper's runs on the "
        f"full data sets. {words}"
    )
