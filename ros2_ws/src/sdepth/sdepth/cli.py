"""What every command line shares: help with examples, one line per mistake, exit codes."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

from sdepth.errors import ConfigError, SdepthError

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


def image_size(text: str) -> tuple[int, int]:
    """Return (height, width), pixels, of ``640x192``: width x height, as cameras name it.

    Raises:
        ConfigError: the text has another form.
    """
    if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)):
        raise ConfigError(f"size {text!r}: expected WIDTHxHEIGHT, as 640x192")
    return int(found[2]), int(found[1])
