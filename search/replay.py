"""Run a recorded trial again and compare: python search/replay.py results/STUDY --sample 3."""

import sys

from search.studies.replay import main

if __name__ == "__main__":
    sys.exit(main())
