"""What stands on the road may drive along: how far each pixel is believed to stand still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from sdepth.scale.ground import find_ground

TRAFFIC_TRUST = 0.5
"""Weight of a pixel where vehicles are to be expected; 1 elsewhere.

Lorries that keep pace with the camera are larger and richer in contrast than the road, so that
"nothing moves" explains most of the image. Road, houses and trees must outvote them; where all
stands still, the weights change nothing. From 0.2 to 0.5 all find the motion on a rendered
motorway where 1 does not; less makes more of the depth's errors far from the road.
"""
_LOW, _HIGH, _ASIDE = 0.15, 2.8, 2.8  # camera heights: a kerb, a lorry, the lane beside ours
_EDGE = 0.1  # camera heights over which the weight changes: rounding must not move the path


def believed_still(depth: NDArray[np.float32], camera: Camera) -> NDArray[np.float32]:
    """Return the weight (H, W) of each pixel in finding the camera's motion.

    It is ``TRAFFIC_TRUST`` above the road ahead, as high and wide as vehicles drive there, and 1
    elsewhere, also where no road is seen. Lengths are in heights of the camera above the road, so
    that depth of any scale gives the same.

    Args:
        depth: (H, W), any unit; 0 where unknown.
        camera: intrinsics of that image.

    Raises:
        ShapeError: the depth is not of the camera's size.
    """
    ground = find_ground(depth, camera)
    if ground is None:
        return np.ones(depth.shape, np.float32)
    x = (np.arange(camera.width, dtype=np.float32) - camera.cx) / camera.fx
    above = 1 - depth * ground.descent(camera) / ground.height
    aside = np.abs(depth * x) / ground.height
    inside = np.minimum(np.minimum(above - _LOW, _HIGH - above), _ASIDE - aside) / _EDGE
    traffic = np.where(depth > 0, np.clip(inside, 0, 1), 0)
    return (1 - (1 - TRAFFIC_TRUST) * traffic).astype(np.float32)
