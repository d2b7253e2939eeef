"""Whatever a driver may send is decoded or refused, and no memory goes to what it claims."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdepth.errors import CameraError, ImageError
from sdepth_ros import conversions
from tests.ros import messages

SIZES = st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1))
KNOWN = [*conversions.COLOUR_ENCODINGS, *conversions.DEPTH_ENCODINGS]
WILD_IMAGES = st.builds(
    SimpleNamespace,
    height=SIZES,
    width=SIZES,
    encoding=st.one_of(st.sampled_from(KNOWN), st.text()),
    is_bigendian=st.integers(0, 255),
    step=st.one_of(st.integers(0, 40), SIZES),
    data=st.binary(max_size=400).map(lambda raw: np.frombuffer(raw, np.uint8)),
)


@st.composite
def near_images(draw: st.DrawFn) -> SimpleNamespace:
    """Return a small Image that is whole, or nearly so."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    encoding = draw(st.sampled_from(KNOWN))
    layout = {**conversions.COLOUR_ENCODINGS, **conversions.DEPTH_ENCODINGS}[encoding]
    row = width * layout.channels * np.dtype(layout.dtype).itemsize
    step = row + draw(st.sampled_from([0, 0, 1, 7, -1]))
    size = height * step + draw(st.sampled_from([0, 0, 0, 5, -1]))
    data = np.frombuffer(draw(st.binary(min_size=max(0, size), max_size=max(0, size))), np.uint8)
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, step=step, data=data,
        is_bigendian=draw(st.booleans()),
    )  # fmt: skip


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(near_images(), WILD_IMAGES))
def test_any_image_is_decoded_or_refused_without_spending_memory(msg: Any) -> None:
    tracemalloc.start()
    for decode in (conversions.to_rgb, conversions.to_depth):
        with suppress(ImageError):
            pixels = decode(msg)
            assert pixels.shape[:2] == (msg.height, msg.width)
            assert pixels.size <= 3 * max(1, len(msg.data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_an_image_without_pixels_is_named_so() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    empty = messages.image(pixels, "rgb8", height=0, width=0, step=0, data=pixels.ravel()[:0])
    with pytest.raises(ImageError, match="rgb8 image of 0x0: no pixels"):
        conversions.to_rgb(empty)


def files() -> list[bytes]:
    """Return small whole images: PNG, JPEG and progressive JPEG."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    kinds: list[tuple[str, list[int]]] = [(".png", []), (".jpg", [])]
    kinds.append((".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]))
    return [cv2.imencode(ending, pixels, how)[1].tobytes() for ending, how in kinds]


def compressed(data: bytes) -> Any:
    """Return a CompressedImage."""
    return SimpleNamespace(format="jpeg", data=np.frombuffer(data, np.uint8))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.sampled_from(files()),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.integers(0, 800),
)
def test_any_compressed_image_is_decoded_or_refused(
    whole: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(whole)
    for at, value in changes:
        data[at % len(data)] = value
    with suppress(ImageError):
        rgb = conversions.to_rgb(compressed(bytes(data[:length])))
        assert rgb.shape[0] * rgb.shape[1] <= 1100 * len(data)


@pytest.mark.parametrize("whole", files(), ids=["png", "jpeg", "progressive"])
def test_a_compressed_image_that_is_cut_short_is_refused(whole: bytes) -> None:
    assert conversions.to_rgb(compressed(whole + b"\0\0")).shape == (9, 7, 3)
    for length in range(0, len(whole) - 1, 7):
        with pytest.raises(ImageError, match="truncated"):
            conversions.to_rgb(compressed(whole[:length]))


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_few_bytes_that_claim_a_huge_image_are_refused_before_decoding(kind: str) -> None:
    png, jpeg, _ = files()
    if kind == "png":
        header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + png[24:29]
        data = png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
    else:
        at = jpeg.find(b"\xff\xc0") + 5
        data = jpeg[:at] + struct.pack(">HH", 30_000, 30_000) + jpeg[at + 4 :]
    with pytest.raises(ImageError, match="that say 30000x30000"):
        conversions.to_rgb(compressed(data))


def test_the_darkest_image_is_not_taken_for_a_huge_one() -> None:
    black = np.zeros((1080, 1920), np.uint8)
    for ending in (".png", ".jpg"):
        data = cv2.imencode(ending, black, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        assert not conversions.to_rgb(compressed(data.tobytes())).any()


def test_a_picture_is_not_turned_by_its_exif() -> None:
    jpeg = files()[1]
    tiff = b"MM\0*\0\0\0\x08" + b"\0\1" + b"\x01\x12\0\3\0\0\0\1\0\6\0\0" + b"\0\0\0\0"  # 90 deg
    body = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
    np.testing.assert_array_equal(
        conversions.to_rgb(compressed(turned)), conversions.to_rgb(compressed(jpeg))
    )


K = [50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1]
# Training, in the same process, lets the CPU take numbers below 1e-308 as 0: no subnormal ones.
NUMBERS = st.one_of(
    st.floats(allow_subnormal=False),
    st.floats(-2, 2, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, 50.0]),
)
MODELS = st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant", "omni"])
COEFFICIENTS = st.sampled_from([4, 5, 8, 12, 14]).flatmap(
    lambda n: st.lists(st.floats(-9, 9, allow_subnormal=False), min_size=n, max_size=n)
)


def infos(size: Any, small: Any, numbers: Any, d: Any) -> Any:
    """Return CameraInfos of these sizes, offsets, matrices and coefficients."""
    rows = {name: st.lists(numbers, min_size=n, max_size=n) for name, n in (("r", 9), ("p", 12))}
    zeros = {name: st.just([0.0] * n) for name, n in (("r", 9), ("p", 12))}
    roi = st.builds(
        SimpleNamespace, x_offset=small, y_offset=small, width=small, height=small,
        do_rectify=st.booleans(),
    )  # fmt: skip
    return st.builds(
        SimpleNamespace, height=size, width=size, distortion_model=MODELS, d=d, roi=roi,
        k=st.one_of(st.just(K), st.lists(numbers, min_size=9, max_size=9)),
        r=st.one_of(zeros["r"], rows["r"]), p=st.one_of(zeros["p"], rows["p"]),
        binning_x=small, binning_y=small,
    )  # fmt: skip


WILD = st.one_of(st.sampled_from([0, 0, 1, 48, 64]), st.integers(0, 2**32 - 1))
WILD_INFOS = infos(WILD, WILD, NUMBERS, st.one_of(COEFFICIENTS, st.lists(NUMBERS, max_size=14)))
NEAR_INFOS = infos(
    st.just(64), st.sampled_from([0, 1, 2, 9]), st.sampled_from([0.0]), COEFFICIENTS
)


def huge(**changes: Any) -> SimpleNamespace:
    """Return the camera_info of a sensor of two giga by two giga pixels."""
    fields = {
        "height": 2**31, "width": 2**31, "distortion_model": "plumb_bob", "d": [-0.1] * 5,
        "k": K, "r": [0.0] * 9, "p": [0.0] * 12, "binning_x": 0, "binning_y": 0,
        "roi": SimpleNamespace(x_offset=0, y_offset=0, width=64, height=48, do_rectify=True),
    }  # fmt: skip
    return SimpleNamespace(**(fields | changes))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(NEAR_INFOS, WILD_INFOS))
@example(huge())
@example(huge(p=[1e9, 0, 0, 0, 0, 1e9, 0, 0, 0, 0, 1, 0]))
def test_any_camera_info_is_a_lens_or_refused_without_spending_memory(info: Any) -> None:
    tracemalloc.start()
    with suppress(CameraError):
        lens = conversions.to_lens(info)
        assert lens.rectified.width == lens.raw.width
        camera, rectify = lens.rectification()
        if rectify is not None:
            image = np.zeros((lens.raw.height % 1000, lens.raw.width % 1000, 3), np.uint8)
            assert rectify(image).shape == (camera.height, camera.width, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
