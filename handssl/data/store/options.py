"""The options of a store: its name, its boxes, the size of its images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from handssl.checked import check_fields
from handssl.data.raw.dataset import file_digest
from handssl.data.store.boxes import BoxKind
from handssl.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How raw images become rows of a store.

    Attributes:
        name: Name of the store; default the name of the raw data set.
        boxes: "joints" (from the labels, as in the paper), "centre" (label-free) or "file".
        boxes_file: JSON of [x, y, width, height] by source id, for boxes="file".
        stored_px: Largest side of a stored image, pixels.

    Raises:
        ConfigError: A value that cannot be used.

    Example:
        >>> StoreOptions(boxes="centre", stored_px=128).content()
        {'boxes': 'centre', 'source_px': 128}
    """

    name: str | None = None
    boxes: BoxKind = "joints"
    boxes_file: str | Path | None = None
    stored_px: Annotated[int, Ge(16)] = 224

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            (self.boxes == "file") == (self.boxes_file is not None),
            "boxes=file and boxes_file must be used together, but got "
            f"boxes={self.boxes!r}, boxes_file={self.boxes_file!r}",
        )

    def content(self) -> dict[str, Any]:
        """The options that change the rows, as a manifest records them.

        The key `source_px` is part of the format of stores, so it keeps its first name.
        """
        content: dict[str, Any] = {"boxes": self.boxes, "source_px": self.stored_px}
        if self.boxes_file is not None:
            content["boxes_digest"] = file_digest(Path(self.boxes_file))
        return content
