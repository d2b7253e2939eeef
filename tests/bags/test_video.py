"""Topics of encoded video are decoded where PyAV is, and named as such."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bags.messages import header, make
from bags.recordings import Topics, read_bag
from bags.video import codec_of
from sdepth.errors import DataError
from tests.bags import forms
from training.data.crop_resize import CropResize
from training.data.recording import Recording

KINDS = ("ffmpeg_image_transport_msgs/FFMPEGPacket", "foxglove_msgs/CompressedVideo",
         "sensor_msgs/CompressedImage")  # fmt: skip


def packets(encoder: str, count: int = 6) -> list[bytes]:
    """Return the encoded frames of a picture that brightens."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = 64, 32, "yuv420p"
    context.framerate, context.options = 10, {"tune": "zerolatency"}
    made: list[bytes] = []
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
        frame.pts = i
        made += [bytes(packet) for packet in context.encode(frame)]
    return made + [bytes(packet) for packet in context.encode(None)]


def picture(number: int) -> NDArray[np.uint8]:
    """Return a frame of the video."""
    return np.full((32, 64, 3), 20 + 30 * number, np.uint8)


def piece(kind: str, codec: str, data: bytes, time: int) -> Any:
    """Return a message of video."""
    packed = np.frombuffer(data, np.uint8)
    if kind == KINDS[0]:
        numbers = {"width": 64, "height": 32, "pts": 0, "flags": 0, "is_bigendian": False}
        head = header(time, "camera_optical")
        return make(kind, header=head, encoding=f"lib{codec}", data=packed, **numbers)
    if kind == KINDS[1]:
        stamp = header(time, "").stamp
        return make(kind, timestamp=stamp, frame_id="camera_optical", data=packed, format=codec)
    return make(kind, header=header(time, "camera_optical"), format=codec, data=packed)


def recorded(bag: Path, kind: str, codec: str, pieces: list[bytes]) -> Recording:
    """Return the recording in a bag of video, camera, mounting and poses."""
    timed, images = [], iter(pieces)
    for topic, time, msg in forms.drive(len(pieces)):
        if topic == forms.IMAGE:
            topic, msg = f"{topic}/ffmpeg", piece(kind, codec, next(images), time)
        timed.append((topic, time, msg))
    (found,) = read_bag(forms.write(bag, timed), Topics(), CropResize())
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("h265", "libx265")])
def test_video_is_decoded_frame_by_frame(
    tmp_path: Path, kind: str, codec: str, encoder: str
) -> None:
    frames = list(recorded(tmp_path / "bag", kind, codec, packets(encoder)).frames())

    assert [frame.stamp_ns for frame in frames] == [10**11 + i * 10**8 for i in range(6)]
    for i, frame in enumerate(frames):
        np.testing.assert_allclose(frame.image(), picture(i), atol=4)  # lossy
    assert frames[-1].T_world_cam is not None


def test_video_that_begins_without_a_whole_image_begins_later(tmp_path: Path) -> None:
    pieces = [*packets("libx264")[3:], *packets("libx264")]
    frames = list(recorded(tmp_path / "bag", KINDS[0], "h264", pieces).frames())
    assert [frame.stamp_ns for frame in frames] == [10**11 + i * 10**8 for i in range(3, 9)]


def test_damage_in_a_video_is_of_its_image(tmp_path: Path) -> None:
    pieces = packets("libx264")
    pieces[2] = b""
    pieces[3] = b"\0" * 40
    frames = list(recorded(tmp_path / "bag", KINDS[0], "h264", pieces).frames())
    with pytest.raises(DataError, match="message 4 is damaged"):
        [frame.image() for frame in frames]


def test_without_pyav_video_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r"image_raw/ffmpeg: video \(libh264\), no images; `pip"):
        recorded(tmp_path / "bag", KINDS[0], "h264", [b"x"] * 3)


def test_video_that_nobody_decodes_is_named() -> None:
    kind = "theora_image_transport/Packet"
    fields = {"b_o_s": 0, "e_o_s": 0, "granulepos": 0, "packetno": 0}
    msg = make(kind, header=header(0, ""), data=np.zeros(3, np.uint8), **fields)
    with pytest.raises(DataError, match="/image: video of theora, which is not decoded here"):
        codec_of(msg, "/image")


def test_images_are_no_video() -> None:
    for said in ("jpeg", "rgb8; jpeg compressed bgr8", "png", "bayer_rggb8; png compressed bgr8"):
        assert codec_of(piece(KINDS[2], said, b"", 0), "") == ""
