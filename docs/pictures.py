"""Draws the pictures of the documentation.

    python docs/pictures.py --store data/stores/synthetic      docs/images/augmentations.png
    python docs/pictures.py --report REPORT.html               docs/images/report.png (Chromium)
    python docs/pictures.py --real FOLDER SHEET.png            real files with their labels

The last is for one's own eyes: FreiHAND and InterHand2.6M may not be passed on in this project.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from handssl.augment import AUGMENTATIONS, Composition, make_views
from handssl.data import Store, open_store, read_interhand
from handssl.data.camera import project_px
from handssl.drawing import draw_skeleton

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


def real_samples(folder: Path, path: Path) -> None:
    """FreiHAND's images in rows of versions with a third party's 2D keypoints, InterHand's hands.

    Args:
        folder: `interhand/` in its own layout; `freihand/training/rgb` with
            `training_keypoints_2d_coco.json` beside `training`.
        path: The sheet; outside this project.
    """
    project = Path(__file__).resolve().parents[1]
    if path.resolve().is_relative_to(project):
        raise SystemExit(f"{path} lies in the project, where these images do not belong")
    drawn = []
    content = json.loads((folder / "freihand" / "training_keypoints_2d_coco.json").read_text())
    labels = {int(entry["image_id"]): entry["keypoints"] for entry in content["annotations"]}
    for index in sorted(labels, key=lambda index: (index % 32_560, index)):
        image = Image.open(folder / "freihand/training/rgb" / f"{index:08d}.jpg").convert("RGB")
        drawn.append((image, np.reshape(labels[index], (21, 3))[:, :2], np.ones(21, np.bool_)))
    for sample in read_interhand(folder / "interhand"):
        points = project_px(sample.joints_m, sample.intrinsics)
        drawn.append((Image.fromarray(sample.image), points, sample.valid))
    sheet = Image.new("RGB", (4 * (2 * 224 + GAP_PX), 2 * (2 * 224 + GAP_PX) + 1024), "white")
    for number, (image, points, valid) in enumerate(drawn):
        large = image.resize((2 * image.width, 2 * image.height))
        draw_skeleton(ImageDraw.Draw(large), points, valid, scale=2, width_px=6)
        row, column = divmod(number, 4)
        side = 2 * 224 + GAP_PX if row < 2 else sheet.width // 2
        sheet.paste(large, (column * side, row * (2 * 224 + GAP_PX)))
    sheet.save(path)


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, help="store of embedded hands")
    parser.add_argument("--report", type=Path, help="a study's report.html")
    parser.add_argument("--real", type=Path, nargs=2, metavar=("FOLDER", "SHEET"))
    options = parser.parse_args()
    if options.store is not None:
        augmentations(open_store(options.store), IMAGES / "augmentations.png")
    if options.report is not None:
        report(options.report, IMAGES / "report.png")
    if options.real is not None:
        real_samples(*options.real)
