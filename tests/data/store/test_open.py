import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from handssl.cli import main
from handssl.data import join_stores, open_store, write_joined
from handssl.data.doctor.examine import examine
from handssl.errors import ConfigError, DataError

WEIGHTS = (0.25, 0.75)


def test_a_joined_folder_opens_as_its_members_joined(members: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "both"
    write_joined(out, members, weights=WEIGHTS)
    opened = open_store(out, source_px=48)
    joined = join_stores([open_store(path, source_px=48) for path in members], weights=WEIGHTS)
    assert opened.fingerprint == joined.fingerprint
    assert opened.info["weights"] == {"freihand": 0.25, "interhand": 0.75}
    np.testing.assert_array_equal(opened.indices, joined.indices)
    np.testing.assert_array_equal(opened.batch(np.arange(9)), joined.batch(np.arange(9)))
    # Without a size, all members are decoded at that of the smallest.
    assert open_store(out).source_px == min(open_store(path).source_px for path in members)
    copy = pickle.loads(pickle.dumps(opened.split("train")))
    assert len(copy) == len(opened.split("train"))


def test_it_moves_with_its_members(members: list[Path], tmp_path: Path) -> None:
    before = write_joined(tmp_path / "both", members, weights=WEIGHTS).fingerprint
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (*members, tmp_path / "both"):
        path.rename(moved / path.name)
    assert open_store(moved / "both").fingerprint == before
    assert main(["data", "doctor", str(moved / "both")]) == 0


def test_the_command_joins_inspects_and_says_the_same_twice(
    members: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, names = tmp_path / "both", [str(path) for path in members]
    join = ["data", "join", *names, "--out", str(out), "--weights"]
    assert main([*join, "0.5", "0.5"]) == 0
    assert main([*join, "0.5", "0.5"]) == 0
    assert "freihand+interhand" in capsys.readouterr().out
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(out), "--out", str(sheet), "--views", "T+S+Ro"]) == 0
    assert main([*join, "0.4", "0.6"]) == 2
    assert "combines other stores or weights" in capsys.readouterr().err
    assert main([*join, "0.4", "0.4"]) == 2
    assert "with sum 1" in capsys.readouterr().err


def test_what_cannot_be_joined_is_one_error(members: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a store"):
        write_joined(tmp_path / "both", [*members, tmp_path / "absent"])
    with pytest.raises(ConfigError, match="different names"):
        write_joined(tmp_path / "both", [members[0], members[0]])
    with pytest.raises(ConfigError, match="must not be a member"):
        write_joined(members[0], members)
    assert not (tmp_path / "both").exists()
    with pytest.raises(DataError, match="choose a new folder"):
        write_joined(tmp_path, members)
    write_joined(tmp_path / "both", members)
    itself = json.dumps({"members": [".", "../fs"], "shares": None})
    for content in ("{", "[]", json.dumps({"members": 3, "shares": None}), itself):
        (tmp_path / "both" / "joined.json").write_text(content)
        with pytest.raises(DataError, match=r"damaged|names itself"):
            open_store(tmp_path / "both")
        assert "error" in {finding.level for finding in examine(tmp_path / "both")}
