"""Depth and odometry in one process: frames go from one to the other without crossing DDS.

The same two nodes, ``depth`` and ``odometry``, with the same topics, parameters and states.
"""

from __future__ import annotations

import sys

from sdepth_ros.depth_node import DepthNode
from sdepth_ros.node_process import run
from sdepth_ros.odometry_node import OdometryNode


def main(args: list[str] | None = None) -> int:
    """Run both nodes; return the exit code of their process."""

    def nodes() -> list[DepthNode | OdometryNode]:
        depth = DepthNode()
        return [depth, OdometryNode(depth)]

    return run(nodes, args)


if __name__ == "__main__":
    sys.exit(main())
