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

    def maps(self, image: NDArray[np.uint8], focal_scale: float) -> list[NDArray[np.float32]]:
        """Return what a depth network gives: depth (h, w), and confidence and sky if it has them.

        Args:
            image: RGB (h, w, 3) of the network's size.
            focal_scale: the camera's focal ratio over the canonical one.
        """
        found = self.run(image[None], np.array([focal_scale], np.float32))
        return [np.asarray(x[0, 0], np.float32) for x in found]

    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, the caller's own; see ``maps``."""
        return self.maps(image, focal_scale)[0]
