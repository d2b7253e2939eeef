"""Publishers of depth that agrees with the frames before; it looks like what it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from sdepth.depth.estimator import DepthMap
from sdepth.depth.validity import in_range
from sdepth_ros.conversions import stamp_ns
from sdepth_ros.depth_publishers import FUSED, OF_DEPTH, DepthPublishers, Shown
from sdepth_ros.frame_node import FrameNode
from sdepth_ros.node_params import DepthOutputParams, FusedParams


class FusedPublishers:
    """Publishers of ``fused/...``."""

    def __init__(self, node: FrameNode[Any]) -> None:
        """Advertise the topics of a node, which ends them."""
        self._out = DepthPublishers(node, OF_DEPTH, FUSED)

    def heard(self, params: FusedParams) -> set[str]:
        """Return the topics that somebody listens to; none where there are to be none.

        Points count at every image, however seldom they leave: frames are fused in a row.
        """
        return self._out.heard(params.cloud) if params.enable else set()

    def publish(
        self,
        heard: set[str],
        fused: NDArray[np.float32],
        source: tuple[NDArray[np.uint8], DepthMap, DepthOutputParams],
        header: Header,
        params: FusedParams,
    ) -> None:
        """Publish what is heard of fused depth.

        Args:
            heard: topics that somebody listens to.
            fused: (h, w), metres.
            source: the image (H, W, 3), the depth that was fused, and what that looks like.
            header: of the image.
            params: what the points look like.
        """
        image, depth, limits = source
        depth = replace(depth, depth=in_range(fused, depth.depth, limits))
        due = self._out.due(heard, stamp_ns(header), params.cloud)
        self._out.publish(due, Shown(image, depth, depth.depth), header, limits, params.cloud)


def looks_of(message: Any, below_m: float) -> DepthOutputParams:
    """Return what the depth of an Image looks like; sky stands in its pixels as it is.

    Args:
        message: 32FC1 or 16UC1.
        below_m: depth from here on is not fused.
    """
    return DepthOutputParams(min_m=0.0, max_m=below_m, encoding=message.encoding, sky="inf")
