"""Draws the pictures of the README into docs/images/.

python docs/pictures.py --store data/stores/synthetic
python docs/pictures.py --report results/embedded/analysis/report.html     (needs Chromium)
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from handssl.augment import AUGMENTATIONS, Composition, make_views
from handssl.data import Store, open_store

IMAGES = Path(__file__).parent / "images"
VIEW_PX, GAP_PX, LABEL_PX = 96, 4, 116
HANDS = (3, 1511, 3018, 4526)


def augmentations(store: Store, path: Path) -> None:
    """One row an augmentation: the same hands, each in two views side by side."""
    chosen = store.select(np.asarray(HANDS))
    rows = [("none", Composition.identity())]
    rows += [(name.replace("_", " "), Composition.parse(name)) for name in AUGMENTATIONS]
    rows.append(("T + CJ + S + Ro", Composition.parse("T+CJ+S+Ro")))
    columns = 2 * len(HANDS)
    width = LABEL_PX + columns * (VIEW_PX + GAP_PX)
    sheet = Image.new("RGB", (width, len(rows) * (VIEW_PX + GAP_PX)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for row, (label, composition) in enumerate(rows):
        top = row * (VIEW_PX + GAP_PX)
        draw.text((4, top + VIEW_PX // 2 - 9), label, fill="black", font=font)
        generator = torch.Generator().manual_seed(5 + row)
        for side in range(2):
            views = make_views(
                chosen.batch(np.arange(len(chosen))),
                composition,
                generator,
                size=VIEW_PX,
                centre_px=torch.from_numpy(chosen.centre_px),
                side_px=torch.from_numpy(chosen.side_px),
            )
            pixels = (views.images * 255).round().byte().permute(0, 2, 3, 1).numpy()
            for hand, view in enumerate(pixels):
                left = LABEL_PX + (2 * hand + side) * (VIEW_PX + GAP_PX)
                sheet.paste(Image.fromarray(view), (left, top))
    path.parent.mkdir(exist_ok=True)
    sheet.save(path, optimize=True)


def report(html: Path, path: Path) -> None:
    """The first screen of a report, as a browser of 1200 by 1000 pixels shows it."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- only for this picture

    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme="light")
        page.goto(html.absolute().as_uri())
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if options.store is not None:
        augmentations(open_store(options.store), IMAGES / "augmentations.png")
    if options.report is not None:
        report(options.report, IMAGES / "report.png")
