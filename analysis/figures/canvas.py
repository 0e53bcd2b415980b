"""One drawing, three files, and an inline SVG that follows the report's colours.

Matplotlib draws with the light palette below. The inline form replaces each palette colour by a
CSS variable of the report (`#2563a8` becomes `var(--s1)`), so one drawing serves the light and the
dark theme, and turns the texts of `Drawing.tip` into SVG `<title>` elements, which browsers show
as tooltips. Without a pointer, the same numbers are in the tables and in the alt text.
"""

import io
import re
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#1b1f24"
MUTED = "#5f6873"
GRID = "#d5dae0"
PAPER = "#ffffff"
SERIES = ("#2563a8", "#c2570c", "#2f7d4f", "#7a4fb5", "#a33b6e", "#5b6b1a")
MARKS = "osD^vP"
ROW_IN = 0.27
"""Height of a row of values, inches."""
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"} | {
    colour: f"--s{position}" for position, colour in enumerate(SERIES, start=1)
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType: journals refuse matplotlib's own Type 3
    "font.size": 10,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "analysis",
}
_GROUND = "ground"
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A finished figure.

    Attributes:
        key: File name without suffix.
        title: Heading.
        alt: Description in words for screen readers.
        caption: Meaning of the marks, n, units.
        figure: The matplotlib figure.
        tips: Artist gid to tooltip.
        cache: Its SVG, once drawn.
    """

    key: str
    title: str
    alt: str
    caption: str
    figure: Figure = field(repr=False)
    tips: dict[str, str] = field(default_factory=dict, repr=False)
    cache: list[bytes] = field(default_factory=list, repr=False)

    def tip(self, artist: Artist, text: str) -> None:
        """Give an artist a tooltip in the inline form."""
        gid = f"tip{len(self.tips)}"
        artist.set_gid(gid)
        self.tips[gid] = text


def new_drawing(
    size_in: tuple[float, float], *, panels: int = 1, key: str, title: str, alt: str, caption: str
) -> tuple[Drawing, list[Axes]]:
    """A drawing (width, height) and its axes side by side, which share the axis of errors.

    It has the report's style and does not use pyplot's global state.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size_in, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, panels, sharey=panels > 1, squeeze=False)
    for ground in (figure, *axes[0]):
        ground.patch.set_gid(_GROUND)
    drawing = Drawing(key=key, title=title, alt=alt, caption=caption, figure=figure)
    return drawing, list(axes[0])


def series(position: int) -> str:
    """The colour of a series; they repeat after six."""
    return SERIES[position % len(SERIES)]


def slug(*parts: str) -> str:
    """A file name from names: every character but letters and digits becomes an underscore."""
    return "".join(c if c.isalnum() else "_" for c in "_".join(parts))


def wrapped(title: str, width_in: float) -> str:
    """A panel's title, wrapped to its width."""
    return "\n".join(textwrap.wrap(title, max(12, int(width_in * 11))))


def _svg(drawing: Drawing) -> bytes:
    """The figure's SVG, drawn once; this fixes the layout for all formats."""
    if not drawing.cache:
        raw = io.BytesIO()
        with mpl.rc_context(_STYLE):
            drawing.figure.draw_without_rendering()
            drawing.figure.set_layout_engine("none")
            drawing.figure.savefig(raw, format="svg", metadata={"Date": None})
        drawing.cache.append(raw.getvalue())
    return drawing.cache[0]


def write_drawing(drawing: Drawing, folder: Path) -> tuple[Path, ...]:
    """Write `<key>.svg`, `<key>.png` (200 dpi) and `<key>.pdf` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    vector, pixels, page = (folder / f"{drawing.key}.{suffix}" for suffix in ("svg", "png", "pdf"))
    vector.write_bytes(_svg(drawing))
    with mpl.rc_context(_STYLE):
        drawing.figure.savefig(pixels, dpi=200)
        drawing.figure.savefig(page, metadata={"CreationDate": None})
    return vector, pixels, page


def inline_svg(drawing: Drawing) -> str:
    """The figure as an `<svg>` element for the report: themed, labelled, with tooltips."""
    raw = _svg(drawing)
    root = ET.fromstring(raw)  # noqa: S314 - written above
    used = set(re.findall(rb"#([\w-]+)", raw))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}title"):
                parent.remove(child)
    for element in root.iter():
        _theme(element, drawing, used)
    width, height = (float(value) for value in (root.get("viewBox") or "0 0 1 1").split()[2:])
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", drawing.alt)
    root.set("style", f"aspect-ratio:{width:.0f}/{height:.0f};width:{width * 4 / 3:.0f}px")
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    return ET.tostring(root, encoding="unicode")


def _theme(element: ET.Element, drawing: Drawing, used: set[bytes]) -> None:
    identity = element.get("id", "")
    if identity == _GROUND:  # transparent, so that the scroll shadow stays visible
        for path in element:
            path.set("style", "fill: none")
    if identity in drawing.tips:
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = drawing.tips[identity]
        element.insert(0, title)
        element.set("class", "tip")
    if identity:
        if identity.encode() in used:
            element.set("id", f"{drawing.key}-{identity}")
        else:
            del element.attrib["id"]
    for name in ("style", "fill", "stroke", "clip-path", f"{{{_XLINK}}}href"):
        value = element.get(name)
        if value is None:
            continue
        if "#" in value:
            for colour, variable in _VARIABLES.items():
                value = value.replace(colour, f"var({variable})")
            value = re.sub(r"(url\(|^)#([\w-]+)", rf"\1#{drawing.key}-\2", value)
        value = re.sub(r"'DejaVu Sans'[^;]*", "var(--sans)", value)
        element.set(name, value)
