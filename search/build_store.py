"""Convert a raw data set to its store on a Ray cluster; run it again to continue.

python search/build_store.py data=freihand data.root=FOLDER data.store=FOLDER plan=true
python search/build_store.py data=freihand data.root=FOLDER data.store=FOLDER cluster=auto
"""

import sys

from search.cli import main
from search.cluster.build import build
from search.config.schema import StoreConfig

if __name__ == "__main__":
    sys.exit(main("store", StoreConfig, build, __doc__ or ""))
