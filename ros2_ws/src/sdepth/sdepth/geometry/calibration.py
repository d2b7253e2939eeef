"""Calibration files: of ROS' camera_calibration, OpenCV, Kalibr, and an echoed CameraInfo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sdepth.config import BAD_YAML, read_yaml
from sdepth.errors import DataError
from sdepth.geometry.rectify import Lens

_EXPECTED = (
    "the .yaml of ROS' camera_calibration (image_width, image_height, camera_matrix, "
    "distortion_model, distortion_coefficients), OpenCV's, Kalibr's camchain of one camera, or "
    "what `ros2 topic echo --once camera_info` prints"
)
_IDENTITY, _NONE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (0.0,) * 12
_BAD = (OSError, KeyError, *BAD_YAML)


def read_calibration(path: Path) -> Lens:
    """Return the lens of a calibration file (.yaml), named by its path.

    Raises:
        DataError: missing, or of another form.
        CameraError: its numbers are not those of a calibration.
    """
    try:
        given = read_yaml(_plain(path.read_text(encoding="utf-8-sig")))
        if not isinstance(given, dict):
            raise ValueError("no keys and values")
        form = next((form for key, form in _FORMS.items() if key in given), _of_kalibr)
        (width, height), model, numbers = form(given)
        size = int(width), int(height)
    except _BAD as err:
        said = " ".join(f"{type(err).__name__}: {err}".split())
        raise DataError(f"{path}: no calibration ({said:.200}); expected {_EXPECTED}") from err
    return Lens(str(path), size, str(model), *numbers)


def _plain(text: str) -> str:
    """Return YAML without what OpenCV adds to it, and without what `ros2 topic echo` ends with."""
    lines = text.replace("!!opencv-matrix", "").splitlines()
    lines = [line for line in lines if not line.startswith("%YAML")]
    while lines and lines[-1].strip() in ("", "---", "..."):
        lines.pop()
    return "\n".join(lines)


_Row = tuple[float, ...]
_Found = tuple[Any, Any, tuple[_Row, _Row, _Row, _Row]]
"""Size (width, height), model, and k, d, r, p of a lens."""


def _of_ros(given: Mapping[str, Any]) -> _Found:
    """Return what ROS' camera_calibration wrote, or OpenCV, which has no more than k and d."""

    def numbers(key: str, count: int | None, default: _Row = ()) -> _Row:
        return _numbers(given[key]["data"], count) if key in given or not default else default

    return (
        (given["image_width"], given["image_height"]),
        given.get("distortion_model", ""),
        (
            numbers("camera_matrix", 9),
            numbers("distortion_coefficients", None),
            numbers("rectification_matrix", 9, _IDENTITY),
            numbers("projection_matrix", 12, _NONE),
        ),
    )


def _of_camera_info(given: Mapping[str, Any]) -> _Found:
    """Return an echoed CameraInfo, of the whole image."""
    if any(given.get("roi", {}).get(key) for key in ("x_offset", "y_offset", "width", "height")):
        raise ValueError("a region of interest is set; echo it with the whole image")
    if max(given.get("binning_x", 0), given.get("binning_y", 0)) > 1:
        raise ValueError("binning is set; echo it without")
    counts = {"k": 9, "d": None, "r": 9, "p": 12}
    k, d, r, p = (_numbers(given[key], count) for key, count in counts.items())
    return (given["width"], given["height"]), given["distortion_model"], (k, d, r, p)


def _of_kalibr(given: Mapping[str, Any]) -> _Found:
    """Return the camera of a camchain, which must be alone."""
    cameras = [name for name, of in given.items() if isinstance(of, dict) and "intrinsics" in of]
    if len(cameras) != 1:
        raise ValueError(f"{len(cameras)} cameras, {', '.join(cameras) or 'no intrinsics'}")
    camera = given[cameras[0]]
    if camera["camera_model"] != "pinhole":
        raise ValueError(f"camera_model {camera['camera_model']}, which is not read")
    fx, fy, cx, cy = _numbers(camera["intrinsics"], 4)
    d = _numbers(camera["distortion_coeffs"], None)
    k = (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)
    return camera["resolution"], camera["distortion_model"], (k, d, _IDENTITY, _NONE)


_FORMS: dict[str, Callable[[Mapping[str, Any]], _Found]] = {
    "camera_matrix": _of_ros,
    "image_width": _of_ros,
    "k": _of_camera_info,
}
"""Who reads a file that has this key."""


def _numbers(values: list[float], count: int | None) -> _Row:
    """Return so many numbers."""
    numbers = tuple(map(float, values))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers for {count}")
    return numbers
