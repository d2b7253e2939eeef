"""Text files of data sets: lines, and rows of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError

LAST_S = 9e9
"""Nanoseconds of more seconds do not fit 64 bits."""


def text_lines(path: Path) -> list[str]:
    """Return the lines of a text file; what is no text in it is marked, a byte order mark gone."""
    return path.read_text(encoding="utf-8-sig", errors="replace").splitlines()


def read_rows(path: Path, expected: str) -> NDArray[np.float64]:
    """Return the numbers (N, C) of a text file, a row of a line; none: (0, 0).

    What follows a # is left out.

    Args:
        path: of the file.
        expected: what its rows are, in words.

    Raises:
        DataError: missing, not numbers, or rows of different lengths.
    """
    try:
        lines = [line for line in text_lines(path) if line.partition("#")[0].strip()]
        if not lines:
            return np.empty((0, 0))
        return np.loadtxt(lines, np.float64, ndmin=2)
    except FileNotFoundError as err:
        raise DataError(f"{path}: missing") from err
    except (OSError, ValueError) as err:
        said = " ".join(str(err).split())
        raise DataError(
            f"{path}: expected rows of {expected}, spaces between them and # before comments "
            f"({said})"
        ) from err
