"""Views of source images: parameters from a generator, one warp, then the appearance changes."""

import functools
import os
import shutil
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from handssl.augment.augmentation import Appearance, Frame
from handssl.augment.composition import Composition
from handssl.augment.warp import shrink_factor, warped_parts
from handssl.errors import ConfigError

Parameters = dict[str, Tensor]


class Views(NamedTuple):
    """One view per source image.

    Attributes:
        images: (B, 3, size, size) float32 in [0, 1]; zeros outside the source.
        parameters: One (B, dim) tensor an augmentation, by name, and two of every view:
            "side_px" (B,), the side of its crop, and "centre_px" (B, 2), the hand's centre, both
            in source pixels. "translate" is the shift as a fraction of that side.
        matrix: (B, 3, 3) float32, source px to view px, pixel centres at integers.
    """

    images: Float[Tensor, "batch 3 size size"]
    parameters: Parameters
    matrix: Float[Tensor, "batch 3 3"]


def sample_parameters(composition: Composition, generator: torch.Generator, n: int) -> Parameters:
    """Parameters of n views, one row a view, on the CPU.

    Drawing n rows equals drawing k rows and then n − k from the same generator, so neither the
    batch split nor the number of workers changes an image's parameters (with shared rows: for k a
    multiple of their number).

    Args:
        composition: Of one view; a pair's second view takes a second call.
        generator: On the CPU; it advances by n rows.
        n: Number of views.
    """
    if generator.device.type != "cpu":
        raise ConfigError(
            f"generator must be on the CPU, but got generator.device={generator.device}; views "
            "are drawn there so that every device sees the same ones"
        )
    widths = [len(augmentation.columns) for augmentation in composition.augmentations]
    table = torch.rand((n, sum(widths)), generator=generator)
    if composition.shared_rows > 1:
        rows = torch.arange(n)
        table = table[rows - rows % composition.shared_rows]
    parts = zip(composition.augmentations, torch.split(table, widths, dim=1), strict=True)
    return {augmentation.key: augmentation.sample(part) for augmentation, part in parts}


def apply_views(
    images_u8: Shaped[Tensor, "batch 3 height width"],
    composition: Composition,
    parameters: Parameters,
    *,
    size: int = 128,
    centre_px: Float[Tensor, "batch 2"] | None = None,
    side_px: Float[Tensor, " batch"] | None = None,
    compiled: bool = False,
) -> Views:
    """Views with given parameters, on the images' device; see `make_views` for an example.

    Args:
        images_u8: Source images.
        composition: The augmentations to apply.
        parameters: From `sample_parameters`, or of earlier views.
        size: Side of the views in pixels, at most the source's.
        centre_px: Centre of the hand (u, v); the image's centre when omitted.
        side_px: Side of the hand's crop at margin 1.25; the image's shorter side when omitted.
        compiled: Run augmentations that are `worth_compiling` through `torch.compile`, which takes
            some seconds once a process; eagerly without a compiler, with the same views to
            rounding.

    Raises:
        ConfigError: Images that are not uint8, or views larger than the source.
    """
    if images_u8.dtype != torch.uint8:
        raise ConfigError(
            f"images_u8 must be uint8, but got images_u8.dtype={images_u8.dtype}; pass the "
            "store's images as they are"
        )
    height, width = images_u8.shape[-2:]
    source_px = min(height, width)
    if not 1 <= size <= source_px:
        raise ConfigError(
            f"size must be at least 1 and at most the source's side of {source_px} px, but got "
            f"size={size}; lower size or build the store with a larger source_px"
        )
    n = len(images_u8)
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    whole = torch.full((n,), float(source_px), dtype=torch.float64)
    frame = Frame(
        centre_px=middle.repeat(n, 1) if centre_px is None else centre_px.cpu().double(),
        side_px=whole if side_px is None else side_px.cpu().double(),
        source_px=source_px,
    )
    cpu = {key: value.cpu() for key, value in parameters.items()}
    matrix = _view_matrix(composition, cpu, frame, size)
    cpu["centre_px"] = frame.centre_px.float()
    cpu["side_px"] = (shrink_factor(matrix) * size).float()
    for augmentation in composition.augmentations:
        cpu |= augmentation.view_parameters(cpu[augmentation.key], cpu["side_px"], source_px)

    views = torch.empty(n, 3, size, size, device=images_u8.device)
    # A view stays in the cache while many eager passes go over it; a compiled one needs no cache.
    for rows, part in warped_parts(images_u8, matrix, size):
        view = part
        for augmentation in () if compiled else composition.appearance:
            view = augmentation.apply(view, cpu[augmentation.key][rows])
        views[rows] = view
    for augmentation in composition.appearance if compiled else ():
        views = _compiled(type(augmentation))(augmentation, views, cpu[augmentation.key])
    device = images_u8.device
    return Views(
        images=views,
        parameters={key: value.to(device) for key, value in cpu.items()},
        matrix=matrix.float().to(device),
    )


def make_views(
    images_u8: Shaped[Tensor, "batch 3 height width"],
    composition: Composition,
    generator: torch.Generator,
    *,
    size: int = 128,
    centre_px: Float[Tensor, "batch 2"] | None = None,
    side_px: Float[Tensor, " batch"] | None = None,
) -> Views:
    """`apply_views` with freshly sampled parameters; same arguments and errors.

    Example:
        >>> images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
        >>> generator = torch.Generator().manual_seed(0)
        >>> views, parameters, matrix = make_views(
        ...     images, Composition.parse("rotate"), generator, size=32
        ... )
        >>> tuple(views.shape), sorted(parameters), tuple(matrix.shape)
        ((2, 3, 32, 32), ['centre_px', 'rotate', 'side_px'], (2, 3, 3))
    """
    parameters = sample_parameters(composition, generator, len(images_u8))
    return apply_views(
        images_u8, composition, parameters, size=size, centre_px=centre_px, side_px=side_px
    )


@functools.cache
def _compiled(kind: type[Appearance]) -> Callable[[Appearance, Tensor, Tensor], Tensor]:
    """`kind.apply`, through `torch.compile` where that pays and a C++ compiler is found."""
    compilers = (os.environ.get("CXX", ""), "g++", "clang++")
    if kind.worth_compiling and any(shutil.which(name) for name in compilers if name):
        return torch.compile(kind.apply, dynamic=True)
    return kind.apply


def crop_matrix(
    centre_px: Float[Tensor, "batch 2"], side_px: Float[Tensor, " batch"], size: int
) -> Float[Tensor, "batch 3 3"]:
    """Source px to px of the unaugmented view, float64: the square crop, scaled to `size`."""
    zoom = size / side_px.double()
    matrix = torch.zeros(len(zoom), 3, 3, dtype=torch.float64)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom
    matrix[:, :2, 2] = size / 2 - 0.5 - centre_px.double() * zoom[:, None]
    matrix[:, 2, 2] = 1
    return matrix


def _view_matrix(
    composition: Composition, parameters: Parameters, frame: Frame, size: int
) -> Float[Tensor, "batch 3 3"]:
    """Source px to view px in float64: the augmentations, then the crop of the nominal side."""
    matrix = crop_matrix(frame.centre_px, frame.side_px, size)
    for augmentation in reversed(composition.geometric):
        matrix = matrix @ augmentation.matrix(parameters[augmentation.key], frame)
    return matrix
