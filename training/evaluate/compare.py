"""Written results in one table, where one protocol has counted them all."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sdepth.errors import DataError
from sdepth.markdown import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("results", type=Path, nargs="+", help="files that --json wrote")


def read_result(path: Path) -> dict[str, Any]:
    """Return what --json wrote.

    Raises:
        DataError: missing, or something else.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        known = {"protocol", "errors", "data"} <= found.keys() and "id" in found["protocol"]
    except (OSError, ValueError, AttributeError, TypeError) as err:
        raise DataError(f"{path}: no result that can be read ({err})") from err
    if not known:
        raise DataError(f"{path}: not what `depth` or `odometry` --json writes; score again")
    return found


def check_comparable(results: dict[Path, dict[str, Any]]) -> None:
    """Refuse results of different protocols or of different numbers of images.

    Raises:
        DataError: they differ.
    """
    (first, one), *others = results.items()
    for path, other in others:
        a, b = one["protocol"], other["protocol"]
        keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
        keys = ["id"] if "id" in keys else keys
        if keys:
            what = ", ".join(f"{key} {a.get(key)} and {b.get(key)}" for key in keys)
            raise DataError(
                f"{first} and {path}: counted by different protocols ({what}); score both by one"
            )
        if one.get("images") != other.get("images"):
            raise DataError(
                f"{first} and {path}: {one.get('images')} and {other.get('images')} images; score "
                "both on the same"
            )


def compare(o: argparse.Namespace) -> None:
    """Print one table of all predictors in all files."""
    results = {path: read_result(path) for path in o.results}
    check_comparable(results)
    first = next(iter(results.values()))
    metrics = list(next(iter(first["errors"].values())))
    print(f"protocol {first['protocol']['id']}, {first.get('images', '?')} images\n")
    rows = [
        [path, result["data"], name, *("" if row[m] is None else f"{row[m]:.3f}" for m in metrics)]
        for path, result in results.items()
        for name, row in result["errors"].items()
    ]
    print(table(["file", "data", "row", *metrics], rows))
