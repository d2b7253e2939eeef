"""Calibration files of ROS' camera_calibration."""

from __future__ import annotations

from pathlib import Path

import yaml

from sdepth.errors import DataError
from sdepth.geometry.rectify import Lens

_MATRICES = {
    "camera_matrix": 9,
    "distortion_coefficients": None,
    "rectification_matrix": 9,
    "projection_matrix": 12,
}
_BAD = (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


def read_calibration(path: Path) -> Lens:
    """Return the lens of a calibration file (.yaml), named by its path.

    Raises:
        DataError: missing, or not such a file.
        CameraError: its numbers are not those of a calibration.
    """
    try:
        given = yaml.safe_load(path.read_text())
        size = int(given["image_width"]), int(given["image_height"])
        model = str(given["distortion_model"])
        k, d, r, p = (_numbers(given[key]["data"], n) for key, n in _MATRICES.items())
    except _BAD as err:
        raise DataError(
            f"{path}: no calibration ({err!r}); expected the .yaml of ROS' camera_calibration: "
            f"image_width, image_height, distortion_model, {', '.join(_MATRICES)}"
        ) from err
    return Lens(str(path), size, model, k, d, r, p)


def _numbers(values: list[float], count: int | None) -> tuple[float, ...]:
    """Return so many numbers."""
    numbers = tuple(map(float, values))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers for {count}")
    return numbers
