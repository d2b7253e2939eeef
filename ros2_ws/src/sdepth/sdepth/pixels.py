"""What the numbers of a pixel mean: how bright a colour is, and significant bits of 16."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError

RGB_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in luma. Source: ITU-R BT.601, which JPEG and OpenCV use."""
_USUAL = (10, 12, 14, 16)
"""Bits of sensors."""


class BitDepth:
    """Converts 16-bit to 8-bit images, by a given bit depth or the brightest pixel so far."""

    def __init__(self, given: int = 0) -> None:
        """Take a number of bits; 0: from the images.

        Raises:
            ConfigError: neither 0 nor 8 to 16.
        """
        if given and not 8 <= given <= 16:
            raise ConfigError(f"image.significant_bits: got {given}, expected 0 or 8 to 16")
        self._given = given
        self.guessed = 0

    @property
    def bits(self) -> int:
        """The bit depth in use; 0 while it is neither given nor estimated."""
        return self._given or self.guessed

    def look(self, pixels: NDArray[np.uint16]) -> None:
        """Estimate the bits by one more image, (H, W) or (H, W, C); opacity says nothing."""
        if self.guessed < _USUAL[-1]:
            colours = pixels[..., :3] if pixels.ndim == 3 else pixels
            brightest = int(colours.max(initial=0)).bit_length()
            self.guessed = max(self.guessed, next(n for n in _USUAL if n >= brightest))

    def to_eight(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return pixels with their significant bits, at most, brought down to eight."""
        if not self._given:
            self.look(pixels)
        eight = pixels >> (self.bits - 8)
        return np.minimum(eight, 255).astype(np.uint8) if self._given else eight.astype(np.uint8)
