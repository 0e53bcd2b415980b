"""The report in a real browser; needs the package ``playwright`` and an installed Chromium."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis import compile_study
from tests.analysis.conftest import StudyMaker

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the package playwright is not installed"
)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on the PATH")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyMaker(folder=tmp_path_factory.mktemp("results") / "embedded")
    study.add_grid(repeats=4)
    released = {"objective": {"name": "relative", "targets": "released"}}
    for label in ("T", "S", "T+S"):
        study.add(
            label, "relative", config=released, status="failed" if label == "S" else "finished"
        )
    study.write_study()
    return compile_study(study.folder).html


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, html: Path) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1100, "height": 800}, color_scheme="light")
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda r: None if r.url.startswith("file:") else faults.append(r.url))
    opened.goto(html.as_uri())
    yield opened
    context.close()
    assert faults == []


def cells(page: Any, column: int) -> list[str]:
    rows = page.locator("#t-table5_compositions tbody tr:visible")
    return [rows.nth(i).locator("td").nth(column).inner_text() for i in range(rows.count())]


def test_a_table_sorts_by_a_click_both_ways(page: Any) -> None:
    button = page.locator("#t-table5_compositions thead tr:last-child th button").nth(3)
    for direction in (1, -1):
        button.click()
        values = [float(text.split()[0]) for text in cells(page, 3)]
        assert values == sorted(values)[::direction]
        assert len(values) == 15
    header = page.locator("#t-table5_compositions thead tr:last-child th").nth(3)
    assert header.get_attribute("aria-sort") == "descending"


def test_a_table_filters_while_typing(page: Any) -> None:
    box = page.locator("input[data-filter=t-table5_compositions]")
    box.fill("T+S")
    assert cells(page, 0) == ["T+S", "T+S+Ro"]
    box.fill("")
    assert len(cells(page, 0)) == 15


def test_the_list_of_trials_pages_filters_and_sorts(page: Any) -> None:
    rows = page.locator("#trials tbody tr")
    assert rows.count() == 50
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    assert page.locator("#trial-count").inner_text() == "101 to 123 of 123 trials"
    page.fill("#trial-filter", "contrastive T+CJ+S+Ro")
    assert page.locator("#trial-count").inner_text() == "1 to 4 of 4 trials"
    page.fill("#trial-filter", "")
    page.locator("#trials th button", has_text="median PJE").click()
    values = [float(rows.nth(i).locator("td").nth(5).inner_text()) for i in range(50)]
    assert values == sorted(values)


def test_dark_follows_the_system_and_the_button_turns_it(page: Any) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.emulate_media(color_scheme="dark")
    dark = background()
    assert light != dark
    page.locator("button.theme").click()
    assert background() == light


def test_a_phone_needs_no_sideways_scrolling_of_the_page(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_alone_sorts_and_the_order_is_announced(page: Any) -> None:
    header = page.locator("#t-table5_compositions thead tr:last-child th").nth(3)
    header.locator("button").focus()
    for order in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == order
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") is None
    assert page.evaluate("document.activeElement.closest('th').ariaSort") == "ascending"


CONTRASTS = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => { const c = rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const ground = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const own = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !own.getClientRects().length) continue;
    if (own.closest('button:disabled, title')) continue;
    const style = getComputedStyle(own);
    const ink = parse(own.closest('svg') ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(own))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walker.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found; }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_on_the_page_has_the_contrast_that_wcag_asks_for(
    page: Any, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 1000
    assert [text for ratio, text in found if ratio < 4.5] == []


def test_series_stand_out_from_the_paper(page: Any) -> None:
    ratio = """name => { const probe = document.createElement('i'); document.body.append(probe);
      const lum = value => { probe.style.color = value;
        const c = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
          .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
      const [a, b] = [lum(`var(${name})`), lum('var(--paper)')].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05); }"""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for series in range(1, 7):
            assert page.evaluate(ratio, f"--s{series}") >= 3.0, (scheme, series)


def test_regions_that_scroll_can_be_reached_and_have_names(page: Any) -> None:
    regions = page.locator(".scroll")
    assert regions.count() > 20
    for index in range(regions.count()):
        region = regions.nth(index)
        assert region.get_attribute("tabindex") == "0"
        assert region.get_attribute("role") == "region"
        assert region.get_attribute("aria-label")


def test_figures_have_tooltips_and_printing_makes_a_pdf(page: Any) -> None:
    assert page.locator("figure svg[role=img][aria-label]").count() >= 5
    assert page.locator("figure svg .tip title").count() > 50
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not on this machine")
def test_nothing_is_cut_off_where_the_report_is_printed(page: Any, tmp_path: Path) -> None:
    page.locator("button.theme").click()  # dark colours are for screens
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    command = ["pdftotext", "-bbox", "report.pdf", "report.html"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    words, width, pages = 0, 0.0, set()
    for line in (tmp_path / "report.html").read_text().splitlines():
        if found := re.search(r'<page width="([\d.]+)"', line):
            width = float(found[1])
            pages.add(width)
        elif found := re.search(r'xMax="([\d.]+)" yMax="[\d.]+">(.*)</word>', line):
            words += 1
            assert float(found[1]) < width - 20, found[2]
    assert words > 2000
    assert {wide > 700 for wide in pages} == {False, True}  # A4, and wide tables on its side
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
