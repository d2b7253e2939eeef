"""Topics of encoded video: told from images, and decoded where PyAV (``pip install av``) is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.pixels import BitDepth
from sdepth_ros.conversions import to_rgb

Picture = Callable[[], NDArray[np.uint8]]
VIDEO_TYPES = (
    "foxglove_msgs/msg/CompressedVideo",
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket",
    "theora_image_transport/msg/Packet",
)
_CODECS = {"264": "h264", "265": "hevc", "hevc": "hevc", "av1": "av1", "vp9": "vp9", "vp8": "vp8",
           "theora": "theora"}  # fmt: skip
"""PyAV's names of codecs, by what is in the names that encoders and formats have."""


def codec_of(msg: Any, where: str) -> str:
    """Return the codec of a message's video, "" where it holds an image of its own.

    Raises:
        DataError: naming ``where``: video that cannot be decoded here, and the way out.
    """
    named = str(getattr(msg, "format", "") or (hasattr(msg, "pts") and msg.encoding) or "")
    codec = next((known for part, known in _CODECS.items() if part in named.lower()), "")
    if not codec and msg.__msgtype__ not in VIDEO_TYPES:
        return ""
    way = "record images, or republish them as such (image_transport's republish)"
    if not codec or codec == "theora":
        raise DataError(f"{where}: video of {named or 'theora'}, which is not decoded here; {way}")
    try:
        import_module("av")
    except ImportError as err:
        raise DataError(
            f"{where}: video ({named}), no images; `pip install av` decodes it, or {way}"
        ) from err
    return codec


def pictures(messages: Iterable[Any], codec: str, where: str) -> Iterator[tuple[int, Picture]]:
    """Yield the number of each message and what makes its image (H, W, 3), RGB.

    Of video, messages before the first whole image have none. What cannot be decoded raises
    DataError where its image is made, ImageError where it is no video.
    """
    if not codec:
        depth = BitDepth()
        for number, msg in enumerate(messages):
            yield number, lambda msg=msg: to_rgb(msg, depth)  # type: ignore[misc]
        return
    av = import_module("av")
    context, begun = av.CodecContext.create(codec, "r"), False
    context.thread_type = "SLICE"  # a frame comes out as its packet goes in
    for number, msg in enumerate(chain(messages, [None])):
        packet = None if msg is None else av.Packet(bytes(msg.data))
        if packet is not None:
            packet.pts = number
        try:
            frames = context.decode(packet)
        except av.error.FFmpegError as err:
            if begun:
                yield number, _failing(f"{where}: message {number + 1} is damaged ({err})")
            continue
        for frame in frames:
            begun = True
            yield frame.pts, lambda frame=frame: frame.to_ndarray(format="rgb24")  # type: ignore[misc]


def _failing(said: str) -> Picture:
    """Return what raises that an image is damaged."""

    def fail() -> NDArray[np.uint8]:
        raise DataError(f"{said}; leave such images out with --skip-broken")

    return fail
