"""The augmentations by name, and the order in which they act."""

from typing import Final

from handssl.augment.augmentation import Augmentation, Regressable
from handssl.augment.color import ColorJitter
from handssl.augment.geometric import Crop, Rotate, Scale, Translate
from handssl.augment.occasional import ColorDrop, Cutout, GaussianBlur, GaussianNoise, Sobel

AUGMENTATIONS: Final[dict[str, type[Augmentation]]] = {
    "translate": Translate,
    "color_jitter": ColorJitter,
    "scale": Scale,
    "rotate": Rotate,
    "color_drop": ColorDrop,
    "cutout": Cutout,
    "gaussian_blur": GaussianBlur,
    "gaussian_noise": GaussianNoise,
    "sobel": Sobel,
    "crop": Crop,
}
"""In the order of labels: the paper's four in its order, then the others."""

REGRESSABLE: Final = tuple(k for k, kind in AUGMENTATIONS.items() if issubclass(kind, Regressable))
"""Those that the relative objective can predict."""

GEOMETRIC_ORDER: Final = ("rotate", "translate", "scale", "crop")
"""Order in which geometric augmentations act on a source point, before the crop is cut."""

APPEARANCE_ORDER: Final = (
    *("color_jitter", "color_drop", "gaussian_blur", "sobel", "gaussian_noise", "cutout"),
)
"""Order in which the others act on the view: the scene, the lens, the sensor, the obstacle."""
