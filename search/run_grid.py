"""Search augmentation compositions under every objective; run it again to continue.

python search/run_grid.py                                      synthetic hands, minutes on a laptop
python search/run_grid.py data=freihand data.root=FOLDER       the same on FreiHAND
python search/run_grid.py study=paper data=freihand data.root=FOLDER cluster=auto
"""

import sys

from search.cli import main
from search.config.schema import Config
from search.studies.grid import run_grid

if __name__ == "__main__":
    sys.exit(main("grid", Config, run_grid, __doc__ or ""))
