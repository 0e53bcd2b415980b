import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from analysis.figures import Drawing, inline_svg, write_drawing
from analysis.figures.canvas import SERIES, new_drawing, slug


@pytest.fixture
def drawing() -> Drawing:
    drawing, (axes,) = new_drawing((3, 2), key="demo", title="Demo", alt="Two <bars>", caption="")
    for position, colour in enumerate(SERIES[:2]):
        (bar,) = axes.barh(position, 2.0 + position, color=colour)
        drawing.tip(bar, f"bar {position} & more")
    axes.plot([0, 1], [0, 1], "o", color=SERIES[2])
    axes.set_xlabel("error (cm)")
    return drawing


def test_inline_svg_is_labelled_themed_and_has_tooltips(drawing: Drawing) -> None:
    text = inline_svg(drawing)
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Two <bars>"
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["bar 0 & more", "bar 1 & more"]
    assert "var(--s1)" in text
    assert "var(--ink)" in text
    assert not re.search(r"#(2563a8|1b1f24|d5dae0)", text)


def test_references_inside_an_inline_svg_resolve_and_carry_its_key(drawing: Drawing) -> None:
    text = inline_svg(drawing)
    wanted = set(re.findall(r'(?:url\(|href=")#([\w-]+)', text))
    present = set(re.findall(r'\bid="([\w-]+)"', text))
    assert wanted
    assert wanted <= present
    assert all(name.startswith("demo-") for name in present)


def test_the_three_files_are_what_their_names_say_and_the_same_twice(
    drawing: Drawing, tmp_path: Path
) -> None:
    vector, pixels, page = write_drawing(drawing, tmp_path)
    assert pixels.read_bytes().startswith(b"\x89PNG")
    assert page.read_bytes().startswith(b"%PDF")
    assert b"/Type3" not in page.read_bytes()
    assert b"error (cm)" in vector.read_bytes()
    before = vector.read_bytes(), pixels.read_bytes(), page.read_bytes()
    write_drawing(drawing, tmp_path)
    assert before == (vector.read_bytes(), pixels.read_bytes(), page.read_bytes())


def test_slugs_are_file_names() -> None:
    assert slug("a/b", "relative:released") == "a_b_relative_released"
