"""A node's camera: calibration and rectification, rate limit, and faults of its stream.

The camera is that of camera_info, and until one comes of a calibration file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from numpy.typing import NDArray

from sdepth.errors import ConfigError, ImageError
from sdepth.geometry.calibration import read_calibration
from sdepth.geometry.camera import Camera, check_same_size
from sdepth.geometry.rectify import Lens, Rectify
from sdepth.stamp_order import fault
from sdepth_ros.conversions import to_lens
from sdepth_ros.node_params import InputParams
from sdepth_ros.notices import NO_FRAME_ID, NO_STAMPS, Said

_STANDS_STILL = 3
"""Images of the stamp of the one before, after which the camera's clock is no clock."""
_JITTER = 0.1  # share of a period by which an image may come early


class _View(NamedTuple):
    """A calibration, the camera after rectification, and the rectifying function if any."""

    lens: Lens
    camera: Camera
    rectify: Rectify | None


class CameraInput:
    """Rectifies incoming images; follows camera_info.

    ``update`` and ``rectify`` may be called from two threads.
    """

    def __init__(self, params: InputParams, logger: Any) -> None:
        """Read the calibration file, where one is given.

        Args:
            params: ``rectify`` and ``camera_info_url``.
            logger: told of where the camera is from, and of images that want rectifying.

        Raises:
            ConfigError: ``camera_info_url`` names nothing we can open.
            DataError: the file is missing, or no calibration.
            CameraError: the calibration cannot be used.
        """
        self._rectify, self._logger = params.rectify, logger
        self._view: _View | None = None
        self._warned = False
        if params.camera_info_url:
            self._use(read_calibration(calibration_path(params.camera_info_url)))
        self._of_file = self._view

    @property
    def known(self) -> bool:
        """Whether images can be read."""
        return self._view is not None

    def forget(self) -> None:
        """Forget every CameraInfo; the calibration file holds again."""
        self._view = self._of_file

    def update(self, info: Any) -> None:
        """Take a CameraInfo for the images that follow.

        Raises:
            CameraError: it cannot be used; the one before holds.
        """
        self._use(to_lens(info))

    def rectify(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Camera]:
        """Return an image (H, W, 3) as it came, rectified where asked, and its camera.

        Raises:
            ImageError: no camera is known.
            CameraError: the image is not of the camera's size.
        """
        view = self._view
        if view is None:
            raise ImageError("image without a camera; publish camera_info, or set camera_info_url")
        if view.rectify is not None:
            return view.rectify(image), view.camera
        check_same_size(image, view.camera, view.lens.name)
        return image, view.camera

    def _use(self, lens: Lens) -> None:
        """Use a lens from now on; what rectifies is kept while the lens stays the same."""
        before = self._view
        if before is not None and before.lens == lens and before.lens.name == lens.name:
            return
        pinhole = lens.rectification() if self._rectify else (lens.rectified, None)
        self._view = _View(lens, *pinhole)
        if before is None or before.lens.name != lens.name:
            self._logger.info(f"camera from {lens.name}")
        if lens.distorted and not self._rectify and not self._warned:
            self._warned = True
            self._logger.warning(
                f"{lens.name} has lens distortion, the image is taken as rectified; "
                "set rectify:=true where it is not, or feed the rectified image"
            )


class ImageWatch:
    """Limits the rate of images, and watches their stamps and frame_id."""

    def __init__(self) -> None:
        """Start without an image."""
        self._taken_ns = self._newest_ns = self._still = 0
        self._nameless = False

    def take(self, stamp: int, frame_id: str, max_rate_hz: float) -> bool:
        """Tell whether to take an image: it does not follow the last one taken too soon.

        Args:
            stamp: of the image, ns.
            frame_id: of its camera.
            max_rate_hz: images a second that are taken at most; 0: all.
        """
        self._still = self._still + 1 if stamp == self._newest_ns else 0
        self._newest_ns, self._nameless = stamp, not frame_id
        if too_soon(stamp, self._taken_ns, max_rate_hz):
            return False
        self._taken_ns = stamp
        return True

    def doubts(self) -> list[Said]:
        """Return warnings: empty frame_id, stamps that do not advance."""
        found = [NO_FRAME_ID()] if self._nameless else []
        if self._still >= _STANDS_STILL:
            found.append(NO_STAMPS(fault=fault(self._newest_ns, self._newest_ns)))
        return found


def too_soon(stamp: int, last: int, rate_hz: float) -> bool:
    """Return whether a stamp exceeds the rate limit after the last one, ns; rate 0: no limit."""
    return rate_hz > 0 and 0 <= stamp - last < (1 - _JITTER) * 1e9 / rate_hz


def calibration_path(url: str) -> Path:
    """Return the file that a path, a file:// or a package://NAME/ URL names.

    Raises:
        ConfigError: another kind of URL, or no such package.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url).expanduser()
    if scheme == "file":
        return Path(unquote(urlsplit(url).path))
    package, _, path = rest.partition("/")
    if scheme != "package" or not path:
        raise ConfigError(
            f"parameter camera_info_url: got {url!r}, expected a path, file:///PATH or "
            "package://PACKAGE/PATH of a calibration .yaml"
        )
    try:
        return Path(get_package_share_directory(package)) / unquote(path)
    except (PackageNotFoundError, ValueError, OSError) as err:
        raise ConfigError(
            f"parameter camera_info_url: no package {package!r} is installed here; "
            "source its workspace, or give the path of the file"
        ) from err
