import shutil
from pathlib import Path

from handssl.disk import existing_parent, free_bytes


def test_the_disk_of_a_folder_that_is_not_made_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "results" / "study"
    assert existing_parent(path) == tmp_path
    assert abs(free_bytes(path) - shutil.disk_usage(tmp_path).free) < 1 << 30
    path.mkdir(parents=True)
    assert existing_parent(path) == path
    assert not path.with_name("other").exists()
