"""Check a folder: detect whether it is a raw data set or a store, and run all checks."""

from collections.abc import Iterator
from pathlib import Path

from handssl.data.doctor import Finding
from handssl.data.doctor.raw import examine_freihand, examine_interhand
from handssl.data.doctor.store import examine_store
from handssl.data.store.build import PLAN
from handssl.data.store.manifest import MANIFEST
from handssl.data.store.open import JOINED, joined_members
from handssl.data.store.parallel import Progress
from handssl.errors import DataError


def examine(root: str | Path, *, progress: Progress | None = None) -> list[Finding]:
    """Check a raw FreiHAND or InterHand2.6M folder, or a store.

    A broken folder raises nothing; the findings describe it.

    Example:
        >>> examine("/not/there")[0].text
        '/not/there is not a folder'
    """
    return list(_examine(Path(root), progress))


def _examine(root: Path, progress: Progress | None) -> Iterator[Finding]:
    if not root.is_dir():
        yield Finding(level="error", text=f"{root} is not a folder", advice="check the path")
    elif (root / JOINED).exists():
        try:
            members = joined_members(root)
        except DataError as error:
            yield Finding(level="error", text=str(error))
            return
        for member in members:
            yield from examine_store(member, progress)
    elif any((root / name).exists() for name in (MANIFEST, PLAN, "shards")):
        yield from examine_store(root, progress)
    elif (root / "annotations").exists() or (root / "images").exists():
        yield from examine_interhand(root, progress)
    elif any(root.glob("training*")) or any(root.glob("evaluation*")):
        yield from examine_freihand(root, progress)
    else:
        yield Finding(
            level="error",
            text=f"{root} is neither FreiHAND (training/, training_K.json), nor InterHand2.6M "
            f"(annotations/, images/), nor a store ({MANIFEST})",
            advice="give the folder that contains these",
        )
