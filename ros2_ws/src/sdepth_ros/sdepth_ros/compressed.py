"""Compressed images to arrays, and depth to compressed images.

What is not whole is refused before memory is spent on it.
"""

from __future__ import annotations

import re
import struct
from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ImageError

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG without content, and those that start a frame and hold its size."""
_MOST_PIXELS_OF_A_BYTE = 1100
"""A black image comes to 1032 as PNG (deflate's limit) and to 253 as JPEG."""
_DEPTH = re.compile(r"compressedDepth|^\s*(16UC1|32FC1)\b")
"""Formats of what is no picture."""
_INVERSE_DEPTH, _LARGEST, _NEAREST_M = 0, 65535, 0.5


def decompress(msg: Any) -> tuple[NDArray[Any], str]:
    """Return the pixels of a CompressedImage (JPEG or PNG), and what their channels are.

    Returns:
        uint8 or uint16 (H, W) or (H, W, C) as it lies in the file, and ``mono``, ``bgr``, ``rgb``,
        ``bgra`` or a Bayer pattern such as ``bayer_rggb``.

    Raises:
        ImageError: neither of the two, cut short, of a size its few bytes cannot hold, or depth.
    """
    if _DEPTH.search(msg.format):
        raise ImageError(
            f"compressed image, format {msg.format!r}: depth, expected a picture; take the topic "
            "of the camera's images"
        )
    data = bytes(msg.data)
    size = _whole_size(data)
    decoded = None
    if size is not None and 0 < size[0] * size[1] <= _MOST_PIXELS_OF_A_BYTE * len(data):
        # A camera_info knows nothing of EXIF, so neither does the image: "unchanged" ignores it.
        try:
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            decoded = None
    channels = 0 if decoded is None else decoded[0, 0].size
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16) or channels not in (1, 3, 4):
        said = f" that say {size[0]}x{size[1]}" if size else ""
        raise ImageError(
            f"compressed image, format {msg.format!r}, {len(data)} bytes{said}: expected JPEG or "
            "PNG; the message is truncated, or another codec wrote it"
        )
    return decoded, _layout(msg.format, channels)


def _layout(form: str, channels: int) -> str:
    """Return the channel layout, by image_transport's format "SOURCE; CODEC compressed TARGET".

    With a target the pixels are of that encoding; without one, of the source's: then a single
    plane may be a mosaic. Codecs keep no order of colours, OpenCV writes them as blue, green, red.
    """
    source, _, rest = form.partition(";")
    _, compressed, target = rest.partition("compressed")
    encoding = (target if compressed and target.strip() else source).strip()
    if channels > 1:
        order = "rgb" if target.strip().startswith("rgb") else "bgr"
        return order + "a" * (channels - 3)
    mosaic = re.match(r"bayer_(rggb|bggr|gbrg|grbg)", encoding)
    return mosaic[0] if mosaic else "mono"


def compress_depth(depth: NDArray[np.float32], nearest_m: float = _NEAREST_M) -> dict[str, Any]:
    """Return the fields of a CompressedImage as image_transport's ``compressedDepth`` has it.

    Its numbers are a / depth + b, 16 bits, as PNG behind a header of the format, a and b: steps
    grow with the square of depth, 2 mm at ``nearest_m`` and 0.2 m at eighty times that.

    Args:
        depth: (h, w), metres; not finite and not positive ones come out as NaN.
        nearest_m: nearer depth comes out as this.
    """
    a = nearest_m * _LARGEST
    valid = np.isfinite(depth) & (depth > 0)
    inverse = np.divide(np.float32(a), depth, out=np.zeros_like(depth), where=valid)
    levels = np.clip(np.rint(inverse), 1, _LARGEST).astype(np.uint16)  # 0 is no depth
    levels[~valid] = 0
    _, png = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    header = struct.pack("<iff", _INVERSE_DEPTH, a, 0.0)
    return {"format": "32FC1; compressedDepth png", "data": array("B", header + png.tobytes())}


def _whole_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) as the header says, or None where the file is cut short."""
    if data.startswith(_PNG) and data.rfind(_PNG_END) > 0:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if not data.startswith(_JPEG):
        return None
    at = len(_JPEG)
    while data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            whole = data.rfind(_JPEG_END) > at  # within a scan 0xff is followed by 0
            return (int.from_bytes(width, "big"), int.from_bytes(height, "big")) if whole else None
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None
