"""Write a drive as a rosbag2 MCAP: the one writer for recorded and rendered drives."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from tqdm import tqdm

from bags import messages
from bags.messages import BASE_FRAME, CAMERA_FRAME
from sdepth.errors import DataError
from sdepth.geometry.camera import R_BODY_OPTICAL, check_same_size
from sdepth_ros.bags.file import add_topic, new_bag
from training.data.check import check_whole
from training.data.drive import Drive, Frame
from training.data.recording import check_times

IMAGE, COMPRESSED = "/camera/image_raw", "/camera/image_raw/compressed"
CAMERA_INFO, STATIC_TF, TRUTH = "/camera/camera_info", "/tf_static", "/ground_truth/odometry"
LATCHED = (STATIC_TF, "/depth/mode", "/depth/scale")
KITTI_CAMERA_HEIGHT_M = 1.65
_OF_BAGS = ("metadata.yaml", ".mcap", ".db3", ".zstd", ".DS_Store")
"""Ends of the names of what a rosbag2 is replaced with."""
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True)
class BagConfig:
    """How a drive becomes a bag.

    Attributes:
        compressed: put the image files in as they are, instead of their pixels.
        camera_height_m: of the camera above base_link; None takes the drive's, else KITTI's.
        limit: how many frames at most; None for all.
        overwrite: replace what stands at the output.
    """

    compressed: bool = False
    camera_height_m: float | None = None
    limit: int | None = None
    overwrite: bool = False


def write_bag(drive: Drive, out: Path, config: BagConfig | None = None) -> Counter[str]:
    """Return the number of messages by topic of a drive, written as ``write_messages`` does.

    Raises:
        DataError: ``out`` exists already, the drive is empty, an image is damaged or times do not
            increase.
        CameraError: an image is not of the camera's size.
    """
    config = config or BagConfig()
    return write_messages(_drive_messages(drive, config), out, config.overwrite)


def write_messages(
    timed: Iterable[tuple[str, int, Any]], out: Path, overwrite: bool = False
) -> Counter[str]:
    """Return the number of messages by topic of the bag written to the folder ``out``.

    The bag appears when it is whole: a failure leaves nothing behind, and what stood there stands.

    Args:
        timed: topic, time (ns) and message, in order of time.
        out: folder of the bag.
        overwrite: replace what stands there.

    Raises:
        DataError: ``out`` exists already, and is not to be replaced or no rosbag2.
    """
    if out.exists():
        _check_replaceable(out, overwrite)
    counts: Counter[str] = Counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        bag = Path(scratch) / out.name
        connections: dict[str, Connection] = {}
        with new_bag(bag) as writer:
            for topic, stamp_ns, msg in timed:
                if topic not in connections:
                    connections[topic] = add_topic(
                        writer, topic, msg.__msgtype__, messages.STORE, latched=topic in LATCHED
                    )
                data = messages.STORE.serialize_cdr(msg, msg.__msgtype__)
                writer.write(connections[topic], stamp_ns, data)
                counts[topic] += 1
        if out.exists():
            shutil.rmtree(out)
        bag.rename(out)
    return counts


def check_apart(source: Path, out: Path) -> None:
    """Refuse to replace what a bag is made of.

    Raises:
        DataError: ``out`` is ``source`` or holds it.
    """
    if out.resolve() in (source.resolve(), *source.resolve().parents):
        raise DataError(f"{out}: is or holds what is read, {source}; choose another name")


def _check_replaceable(out: Path, overwrite: bool) -> None:
    """Refuse to replace what is no rosbag2, or anything unasked."""
    if not overwrite:
        raise DataError(f"{out}: exists already; choose another name or give --overwrite")
    if not out.is_dir() or out.is_symlink():
        raise DataError(f"{out}: is no folder, so it is not replaced; choose another name")
    held = sorted(p.name for p in out.iterdir())
    others = [name for name in held if (out / name).is_dir() or not name.endswith(_OF_BAGS)]
    if held and (others or "metadata.yaml" not in held):
        named = f" (it holds {others[0]})" if others else ""
        raise DataError(f"{out}: not a rosbag2{named}, so it is not replaced; choose another name")


def base_from_camera(camera_height_m: float) -> NDArray[np.float64]:
    """Return T_base_cam (4, 4): base_link on the road below a level camera looking forward."""
    T_base_cam = np.eye(4)
    T_base_cam[:3, :3] = R_BODY_OPTICAL
    T_base_cam[2, 3] = camera_height_m
    return T_base_cam


def _drive_messages(drive: Drive, config: BagConfig) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time and message of a drive, in order of time."""
    frames = drive.frames[: config.limit]
    if not frames:
        raise DataError(f"{drive.name}: no frames to write; check the drive and --limit")
    check_times(frames)
    heights_m = (config.camera_height_m, drive.camera_height_m, KITTI_CAMERA_HEIGHT_M)
    T_base_cam = base_from_camera(next(h for h in heights_m if h is not None))
    start_ns = frames[0].stamp_ns
    mounting = messages.transforms(T_base_cam, start_ns, BASE_FRAME, CAMERA_FRAME)
    yield STATIC_TF, start_ns, mounting
    twists = _true_twists(frames, T_base_cam)
    grey = drive.rectify is None and _is_grey(frames[0].image)
    for frame, twist in zip(tqdm(frames, unit="frame", desc=drive.name), twists, strict=True):
        stamp_ns = frame.stamp_ns
        yield CAMERA_INFO, stamp_ns, messages.camera_info(drive.camera, stamp_ns)
        if frame.T_world_cam is not None and twist is not None:
            T_odom_base = _odom_from_base(frame.T_world_cam, T_base_cam)
            yield TRUTH, stamp_ns, messages.odometry(T_odom_base, twist, stamp_ns)
        check_whole(frame.image)
        pixels = drive.read(frame)
        check_same_size(pixels, drive.camera)
        if config.compressed:
            yield COMPRESSED, stamp_ns, _compress(drive, frame, pixels)
        elif grey:
            yield IMAGE, stamp_ns, messages.image(pixels[..., 0], "mono8", stamp_ns)
        else:
            yield IMAGE, stamp_ns, messages.image(pixels, "rgb8", stamp_ns)


def _compress(drive: Drive, frame: Frame, pixels: NDArray[np.uint8]) -> Any:
    """Return the image file as it is, or a PNG of what was developed of it."""
    kind = _FORMATS.get(frame.image.suffix.lower())
    if drive.rectify is None and kind:
        file = np.frombuffer(frame.image.read_bytes(), np.uint8)
        return messages.compressed_image(file, kind, frame.stamp_ns)
    png = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
    return messages.compressed_image(png, "png", frame.stamp_ns)


def _is_grey(path: Path) -> bool:
    """Tell whether an image file has one channel."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels is not None and pixels.ndim == 2


def _odom_from_base(
    T_cam0_cam: NDArray[np.float64], T_base_cam: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return T_odom_base (4, 4): the identity where the first camera stood."""
    return T_base_cam @ T_cam0_cam @ np.linalg.inv(T_base_cam)


def _true_twists(
    frames: tuple[Frame, ...], T_base_cam: NDArray[np.float64]
) -> list[NDArray[np.float64] | None]:
    """Return the velocities (6,) in base_link since the frame before; None where poses lack."""
    twists: list[NDArray[np.float64] | None] = []
    for before, now in zip((frames[0], *frames), frames, strict=False):
        if before.T_world_cam is None or now.T_world_cam is None:
            twists.append(None)
            continue
        T_before_now = np.linalg.inv(before.T_world_cam) @ now.T_world_cam
        T_before_now = _odom_from_base(T_before_now, T_base_cam)
        seconds = (now.stamp_ns - before.stamp_ns) * 1e-9 or 1.0
        R = T_before_now[:3, :3]
        moved, turned = R.T @ T_before_now[:3, 3], cv2.Rodrigues(R)[0][:, 0]
        twists.append(np.concatenate([moved, turned]) / seconds)
    return twists
