import subprocess
import sys
from pathlib import Path

from tests.analysis.conftest import Make

ROOT = Path(__file__).parents[2]
FORBIDDEN = ("search", "torch", "ray")
ALLOWED = ("handssl", "handssl.atomic", "handssl.errors", "handssl.records")


def test_a_whole_compilation_loads_of_the_project_only_the_records(
    make_study: Make,
) -> None:
    study = make_study()
    study.add("T")
    study.write_study()
    program = (
        "import sys; import analysis; at_import = set(sys.modules); "
        f"analysis.compile_study({str(study.folder)!r}); "
        f"print([n for n in {FORBIDDEN} if n in sys.modules], 'optuna' in at_import, "
        "[n for n in sys.modules if n.partition('.')[0] == 'handssl' "
        f"and not n.startswith('handssl.records.') and n not in {ALLOWED}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "[] False []"
