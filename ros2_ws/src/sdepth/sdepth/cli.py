"""What every command line shares: help with examples, one line per mistake, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from sdepth.errors import SdepthError

MISTAKE, STOPPED = 2, 130
"""Exit codes: something the caller can fix; Ctrl-C."""


def make_parser(prog: str, description: str | None, examples: str = "") -> argparse.ArgumentParser:
    """Return a parser that prints description and examples as they are written."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(prog: str, command: Callable[[], None]) -> int:
    """Run a command; return its exit code. A mistake of the caller's is one line on stderr."""
    try:
        command()
    except SdepthError as err:
        print(f"{prog}: {err}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(f"{prog}: stopped; the same command goes on where it can", file=sys.stderr)
        return STOPPED
    return 0
