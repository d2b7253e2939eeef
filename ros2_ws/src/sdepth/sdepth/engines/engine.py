"""What every engine is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Engine:
    """A graph that is ready to run."""

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs, the caller's own; of all, the batch is one."""
        raise NotImplementedError

    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, the caller's own, where the graph is a depth network's.

        Args:
            image: RGB (h, w, 3) of the network's size.
            focal_scale: the camera's focal ratio over the canonical one.
        """
        (depth,) = self.run(image[None], np.array([focal_scale], np.float32))
        return np.asarray(depth[0, 0], np.float32)
