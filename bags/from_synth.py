"""Turn a drive of the synthetic world into a rosbag2 MCAP; it knows its camera's height itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bags.cli import convert, converter_parser

_EXAMPLES = """examples:
  python -m training.synth data/dusk --domain dusk --sequences 1 --frames 100
  python -m bags.from_synth data/dusk/sequences/00 bags/out/dusk
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return convert(converter_parser("bags.from_synth", __doc__, _EXAMPLES), args)


if __name__ == "__main__":
    sys.exit(main())
