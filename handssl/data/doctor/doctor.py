"""Is this folder what it should be? Says what is wrong and what to do."""

from collections.abc import Iterator
from pathlib import Path

from handssl.data.doctor.finding import Finding
from handssl.data.doctor.raw import examine_freihand, examine_interhand
from handssl.data.doctor.store import examine_store
from handssl.data.store.joined import JOINED, joined_members
from handssl.data.store.manifest import MANIFEST
from handssl.data.store.parallel import Progress
from handssl.data.store.plan import PLAN
from handssl.errors import DataError


def examine(root: str | Path, *, progress: Progress | None = None) -> list[Finding]:
    """Check a raw FreiHAND or InterHand2.6M folder, or a store; which one it is, it finds out.

    Raises nothing for a broken folder: that is what it reports.
    """
    return list(_examine(Path(root), progress))


def _examine(root: Path, progress: Progress | None) -> Iterator[Finding]:
    if not root.is_dir():
        yield Finding(level="error", what=f"{root} is no folder", advice="check the path")
    elif (root / JOINED).exists():
        try:
            members = joined_members(root)
        except DataError as error:
            yield Finding(level="error", what=str(error))
            return
        for member in members:
            yield from examine_store(member, progress)
    elif (root / MANIFEST).exists() or (root / PLAN).exists() or (root / "shards").exists():
        yield from examine_store(root, progress)
    elif (root / "annotations").exists() or (root / "images").exists():
        yield from examine_interhand(root, progress)
    elif any(root.glob("training*")) or any(root.glob("evaluation*")):
        yield from examine_freihand(root, progress)
    else:
        yield Finding(
            level="error",
            what=f"{root} is neither FreiHAND (training/, training_K.json), nor InterHand2.6M "
            f"(annotations/, images/), nor a store ({MANIFEST})",
            advice="give the folder that these lie in",
        )
