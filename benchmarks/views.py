"""Views: how many a second on one core, ours against per-sample pipelines that do the same.

Two views an image, T+S+Ro+CJ, 224 → 128 px. The baselines read one image at a time, as a data
loader's worker does: OpenCV step by step as the study's released code, and as one warp without a
low-pass (which does less than we do), if it is installed; torchvision v2 (rotation, antialiased
resized crop, then colour in HSV); Pillow (one warp, then HSV in uint8). All share the run, the
images and the parameters; rounds alternate, and the fastest round counts, in CPU time for the
ratios, because the machine may have other work. Ours is measured as it is by default, and with
colour jitter through `torch.compile` (`compile_views=true`), where a C++ compiler is found.
"""

import functools
import importlib
import importlib.util
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tvf

from benchmarks.figure import Row, row
from handssl.augment import Composition, Views, apply_views, sample_parameters

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

IMAGES, SOURCE, SIZE, ROUNDS = 32, 224, 128, 7
COMPOSITION = Composition.parse("T+S+Ro+CJ")


def photographs(n: int) -> Tensor:
    """Images with the 1/f spectrum of photographs, (n, 3, 224, 224) uint8."""
    noise = torch.rand((n, 3, SOURCE, SOURCE), generator=torch.Generator().manual_seed(0))
    frequency = torch.fft.fftfreq(SOURCE)
    radius = torch.hypot(frequency[:, None], frequency[None]).clamp_min(1 / SOURCE)
    field = torch.fft.ifft2(torch.fft.fft2(noise - 0.5) / radius).real
    low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
    scaled: Tensor = (field - low) / (high - low) * 255
    return scaled.to(torch.uint8)


def jitter_uint8(hsv: Bytes, values: list[float]) -> Bytes:
    """Hue, saturation and value of a uint8 HSV image changed as the released code does."""
    h, s, alpha, beta = values
    factors = np.array([h, s, alpha], dtype=np.float32)
    offset = np.array([0, 0, beta * 255], dtype=np.float32)
    changed: Bytes = np.clip(hsv * factors + offset, 0, 255).astype(np.uint8)
    return changed


def opencv_view(cv2: ModuleType, image: Bytes, matrix: Floats, values: list[float]) -> Tensor:
    """One view from an (H, W, 3) image by one warp, without a low-pass."""
    view = cv2.warpAffine(image, matrix[:2], (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    return opencv_colour(cv2, view, values)


def opencv_released_view(cv2: ModuleType, image: Bytes, row: dict[str, float]) -> Tensor:
    """One view step by step as in the released code: rotate, crop with border, reduce, colour."""
    middle = ((SOURCE - 1) / 2, (SOURCE - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, row["angle_deg"], 1.0)
    turned = cv2.warpAffine(image, turn, (SOURCE, SOURCE), flags=cv2.INTER_LINEAR)
    side = round(row["side_px"])
    left, top = (round((SOURCE - side) / 2 + row[axis]) for axis in ("x_px", "y_px"))
    border = max(0, -left, -top, left + side - SOURCE, top + side - SOURCE)
    if border:
        turned = cv2.copyMakeBorder(turned, *(border,) * 4, cv2.BORDER_CONSTANT, value=0)
    crop = turned[top + border : top + border + side, left + border : left + border + side]
    view = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return opencv_colour(cv2, view, [row[name] for name in ("h", "s", "alpha", "beta")])


def opencv_colour(cv2: ModuleType, view: Bytes, values: list[float]) -> Tensor:
    """Jitter in HSV, then a float tensor as a network wants it."""
    hsv = jitter_uint8(cv2.cvtColor(view, cv2.COLOR_RGB2HSV), values)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return torch.from_numpy(rgb).permute(2, 0, 1).float().div_(255)


def pillow_view(image: Image.Image, inverse: list[float], values: list[float]) -> Tensor:
    """One view from a Pillow image and the map of view to source pixels (corner origin)."""
    view = image.transform(
        (SIZE, SIZE), Image.Transform.AFFINE, inverse, resample=Image.Resampling.BILINEAR
    )
    hsv = jitter_uint8(np.asarray(view.convert("HSV")), values)
    rgb = np.asarray(Image.fromarray(hsv, mode="HSV").convert("RGB"))
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1).float().div_(255)


def torchvision_view(image: Tensor, parameters: dict[str, float]) -> Tensor:
    """One view from a (3, H, W) uint8 tensor with torchvision's own operations."""
    side = parameters["side_px"]
    corner = (SOURCE - side) / 2
    turned = tvf.rotate(
        image, parameters["angle_deg"], interpolation=v2.InterpolationMode.BILINEAR
    )
    view = tvf.resized_crop(
        turned,
        round(corner + parameters["y_px"]),
        round(corner + parameters["x_px"]),
        round(side),
        round(side),
        [SIZE, SIZE],
        antialias=True,
    )
    view = tvf.to_dtype(view, torch.float32, scale=True)
    view = tvf.adjust_hue(view, 0.5 * parameters["h"])
    view = tvf.adjust_saturation(view, parameters["s"])
    view = tvf.adjust_brightness(view, parameters["alpha"])
    bright: Tensor = view.add(parameters["beta"]).clamp(0, 1)
    return bright


def pipelines(images: Tensor) -> dict[str, Callable[[], object]]:
    """What is compared; each call makes one view of every image."""
    side_px = torch.full((len(images),), 150.0)
    parameters = sample_parameters(COMPOSITION, torch.Generator().manual_seed(1), len(images))

    def ours(*, compiled: bool = False) -> Views:
        return apply_views(
            images, COMPOSITION, parameters, size=SIZE, side_px=side_px, compiled=compiled
        )

    made = ours()
    matrices = made.matrix.double().numpy()
    colours = made.parameters["color_jitter"].tolist()
    # Pillow's origin is the corner of the first pixel, half a pixel off its centre.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    inverses = [
        (half @ np.linalg.inv(matrix) @ np.linalg.inv(half))[:2].ravel().tolist()
        for matrix in matrices
    ]
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]
    pictures = [Image.fromarray(array) for array in arrays]
    rows = [
        {
            "angle_deg": float(parameters["rotate"][k, 0]),
            "side_px": float(made.parameters["side_px"][k]),
            "x_px": float(parameters["translate_source"][k, 0]) * SOURCE,
            "y_px": float(parameters["translate_source"][k, 1]) * SOURCE,
            **dict(zip(("h", "s", "alpha", "beta"), colours[k], strict=True)),
        }
        for k in range(len(images))
    ]
    found: dict[str, Callable[[], object]] = {
        "ours": ours,
        COMPILED: functools.partial(ours, compiled=True),
    }
    if importlib.util.find_spec("cv2") is not None:  # not a dependency: only compared with
        cv2 = importlib.import_module("cv2")
        cv2.setNumThreads(1)
        found["OpenCV, released steps"] = lambda: torch.stack(
            [opencv_released_view(cv2, *own) for own in zip(arrays, rows, strict=True)]
        )
        found["OpenCV, one warp"] = lambda: torch.stack(
            [opencv_view(cv2, *own) for own in zip(arrays, matrices, colours, strict=True)]
        )
    found["Pillow per sample"] = lambda: torch.stack(
        [pillow_view(*own) for own in zip(pictures, inverses, colours, strict=True)]
    )
    found["torchvision v2 per sample"] = lambda: torch.stack(
        [torchvision_view(*own) for own in zip(images, rows, strict=True)]
    )
    return found


COMPILED = "ours, compiled"
OURS = ("ours", COMPILED)
BUDGETS = {
    ("ours", "OpenCV, released steps"): 1.0,
    (COMPILED, "torchvision v2 per sample"): 5.0,
}
"""How many times a baseline's rate ours should be."""


def measure(*, quick: bool = False) -> list[Row]:
    """Views a second of CPU time, and how many times each baseline we are."""
    torch.set_num_threads(1)
    images, rounds = (4, 1) if quick else (IMAGES, ROUNDS)
    found = pipelines(photographs(images))
    cpu: dict[str, list[float]] = {name: [] for name in found}
    for index in range(rounds + 1):
        for name, run in found.items():
            start = time.process_time()
            run()
            run()  # two views an image
            if index > 0:  # the first round warms up
                cpu[name].append(time.process_time() - start)
    seconds = {name: min(own) for name, own in cpu.items()}
    rows = []
    for name in found:
        rows.append(row(f"{name}: views a second of CPU time", 2 * images / seconds[name]))
        for our in () if name in OURS else OURS:
            ratio, least = seconds[name] / seconds[our], BUDGETS.get((our, name))
            rows.append(row(f"{our} over {name}", ratio, "×", least=None if quick else least))
    if "OpenCV, released steps" not in found:
        rows.append(row("ours over OpenCV", "skipped: OpenCV is not installed"))
    return rows
