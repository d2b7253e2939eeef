"""Pinhole intrinsics and what resizing and cropping do to them: THE pixel rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import CameraError

R_BODY_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Turns a camera's optical axes (x right, y down, z forward) into those of a body (x forward, y
left, z up), REP 103."""
_FARTHEST = 1e4
"""Image sides from its centre: no lens is as long, no image as far from the axis."""


_MOST_SKEW = 1e-3
"""Focal lengths that may stand where a pinhole has 0."""


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics of an image of ``width`` x ``height`` pixels.

    Convention: x right, y down, z forward (REP 103 "_optical"); pixel (0, 0) is the *centre* of
    the top-left pixel, so the image spans [-0.5, width - 0.5] x [-0.5, height - 0.5].

    Raises:
        CameraError: a focal length or size that is not positive, a value that is not finite, or
            one that no lens has.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        """Refuse what cannot be a camera."""
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if not all(isfinite(n) for n in numbers) or min(self.fx, self.fy) <= 0:
            raise CameraError(
                f"intrinsics fx, fy, cx, cy = {numbers}: expected finite numbers and fx, fy > 0; "
                "calibrate the camera (K of all zeros means 'uncalibrated')"
            )
        if min(self.width, self.height) <= 0:
            raise CameraError(f"image size {self.width}x{self.height}: expected positive numbers")
        per_side = np.array(numbers) / (2 * (self.width, self.height))
        if per_side[:2].min() < 1 / _FARTHEST or np.abs(per_side).max() > _FARTHEST:
            raise CameraError(
                f"intrinsics fx, fy, cx, cy = {numbers} of a {self.width}x{self.height} image: "
                f"expected pixels, focal lengths of 1/{_FARTHEST:g} to {_FARTHEST:g} sides"
            )

    @classmethod
    def from_matrix(cls, K: NDArray[np.float64], width: int, height: int) -> Camera:
        """Return the camera of a (3, 3) or (3, 4) intrinsic matrix, pixels.

        Raises:
            CameraError: as the class does, or the matrix has other numbers than those four.
        """
        K = np.asarray(K, np.float64)[:, :3]
        fx, fy, cx, cy = (float(K[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
        found = cls(fx, fy, cx, cy, width, height)
        others = np.abs(K - found.K) / [[found.fx], [found.fx], [1]]
        if others.max() > _MOST_SKEW:
            raise CameraError(
                f"intrinsic matrix {K.tolist()}: expected fx 0 cx, 0 fy cy, 0 0 1, row by row; is "
                "it transposed, or has it a skew?"
            )
        return found

    @property
    def K(self) -> NDArray[np.float64]:
        """The (3, 3) intrinsic matrix, pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    @property
    def focal_ratio(self) -> float:
        """Focal length over image size, sqrt(fx fy / (W H)): unchanged by any resize.

        It is what decides how large a thing of given size and distance looks to a network with a
        fixed input size (KITTI: 1.06).
        """
        return sqrt(self.fx * self.fy / (self.width * self.height))

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the image resized to ``width`` x ``height``.

        The image *borders* stay where they are, so cx' = (cx + 0.5) s - 0.5.
        """
        sx, sy = width / self.width, height / self.height
        return Camera(
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
            width,
            height,
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """Return the camera of the crop whose top-left pixel is (left, top)."""
        if left < 0 or top < 0 or left + width > self.width or top + height > self.height:
            raise CameraError(
                f"crop {width}x{height}+{left}+{top} leaves the {self.width}x{self.height} image"
            )
        return replace(self, cx=self.cx - left, cy=self.cy - top, width=width, height=height)

    def flipped(self) -> Camera:
        """Return the camera of the image mirrored left to right."""
        return replace(self, cx=self.width - 1 - self.cx)


def check_same_size(image: NDArray[Any], camera: Camera, name: str = "camera_info") -> None:
    """Refuse an image (H, W, ...) of another size than its camera's; ``name``: who says so.

    Raises:
        CameraError: the sizes differ.
    """
    height, width = image.shape[:2]
    if (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"{name} is for {camera.width}x{camera.height}, the image is {width}x{height}; "
            "it must describe this image size (after region of interest and binning)"
        )
