"""Record a bag: ``python -m sdepth_ros.record`` is short for ``sdepth_ros.bags.record``."""

import sys

from sdepth_ros.bags.record import main

if __name__ == "__main__":
    sys.exit(main())
