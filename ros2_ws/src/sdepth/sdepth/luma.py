"""How bright a colour is."""

RGB_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in luma. Source: ITU-R BT.601, which JPEG and OpenCV use."""
