"""What every command line shares: help with examples, one line per mistake, exit codes."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from math import inf, nan

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
    """Run a command; return its exit code.

    A mistake of the caller's is one line on stderr, and what the system refuses: a full disk, a
    folder that is read-only.
    """
    try:
        command()
    except SdepthError as err:
        print(f"{prog}: {err}", file=sys.stderr)
        return MISTAKE
    except OSError as err:
        print(f"{prog}: {_refused(err)}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(f"{prog}: stopped; the same command goes on where it can", file=sys.stderr)
        return STOPPED
    return 0


def positive(text: str) -> float:
    """Return the number above 0 that an option is given.

    Raises:
        ArgumentTypeError: it is none; argparse names the option.
    """
    if not 0 < (number := _number(text)) < inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")
    return number


def not_negative(text: str) -> float:
    """Return the number from 0 on that an option is given, as ``positive`` does."""
    if not 0 <= (number := _number(text)) < inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 0 on")
    return number


def one_or_more(text: str) -> int:
    """Return the whole number from 1 on that an option is given, as ``positive`` does."""
    if not re.fullmatch(r"0*[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1 on")
    return int(text)


def zero_or_more(text: str) -> int:
    """Return the whole number from 0 on that an option is given, as ``positive`` does."""
    return 0 if re.fullmatch(r"0+", text) else one_or_more(text)


def _number(text: str) -> float:
    """Return the number of a text; not a number where it is none."""
    try:
        return float(text)
    except ValueError:
        return nan


def _refused(err: OSError) -> str:
    """Return in a line what the system refused."""
    if err.strerror is None:
        return " ".join(str(err).split()) or type(err).__name__
    return err.strerror if err.filename is None else f"{err.filename}: {err.strerror}"


def image_size(text: str) -> tuple[int, int]:
    """Return (height, width), pixels, of ``640x192``: width x height, as cameras name it.

    Raises:
        ConfigError: the text has another form.
    """
    if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)):
        raise ConfigError(f"size {text!r}: expected WIDTHxHEIGHT, as 640x192")
    return int(found[2]), int(found[1])
