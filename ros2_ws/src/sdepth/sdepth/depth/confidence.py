"""How sure depth is: by the network's own word, or by flip consistency.

That is depth of the image against depth of its mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdepth.depth.estimator import DepthMap, Estimator
from sdepth.geometry.camera import Camera

_DECAY = 0.35
"""Log depth apart at which confidence is 1/e. On rendered drives, by day and by night, the share
of pixels within 25 % of the truth falls about in proportion (``training.evaluate confidence``)."""


def confidence(
    seen: DepthMap, estimator: Estimator, image: NDArray[np.uint8], camera: Camera
) -> NDArray[np.float32]:
    """Return confidence (h, w), 0..1: the network's own, or ``mirror_confidence`` if it has none.

    The arguments are those of the latter.
    """
    if seen.confidence is not None:
        return seen.confidence
    return mirror_confidence(seen, estimator, image, camera)


def mirror_confidence(
    seen: DepthMap, estimator: Estimator, image: NDArray[np.uint8], camera: Camera
) -> NDArray[np.float32]:
    """Return confidence (h, w), 0..1: 1 where the mirrored image gives the same depth.

    It costs the network once more. Depth scaled as a whole is as sure as before.

    Args:
        seen: depth of the image, metres or any unit.
        estimator: the network that saw it.
        image: RGB (H, W, 3).
        camera: intrinsics of that image.

    Source: Poggi et al. 2020 (arXiv 2005.06209), "image flipping".
    """
    image = np.ascontiguousarray(image[:, ::-1])
    mirrored = estimator.predict(image, camera.flipped()).depth[:, ::-1]
    apart = np.log(seen.depth / mirrored)
    return np.asarray(np.exp(np.abs(apart - np.median(apart)) / -_DECAY), np.float32)
