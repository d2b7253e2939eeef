"""Replay a bag: ``python -m sdepth_ros.replay`` is short for ``sdepth_ros.bags.replay``."""

import sys

from sdepth_ros.bags.replay import main

if __name__ == "__main__":
    sys.exit(main())
