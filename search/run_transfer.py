r"""Across data sets, and against supervised training: the paper's tables 2 to 4 and 6 to 9.

python search/run_transfer.py                    all tables on synthetic hands, minutes on a laptop
python search/run_transfer.py study=table2       one of them
python search/run_transfer.py study=tables fidelity=paper data_sets.FH.root=FOLDER \
    data_sets.IH.root=FOLDER cluster=auto
"""

import sys

from search.cli import main
from search.config.transfer import TransferStudyConfig
from search.studies.transfer import run_transfer

if __name__ == "__main__":
    sys.exit(main("transfer", TransferStudyConfig, run_transfer, __doc__ or ""))
