"""What a recording holds: images, what the nodes made of them, and the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bags.read import read_messages
from bags.write import CAMERA_INFO, IMAGE, STATIC_TF, TRUTH
from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from sdepth_ros.conversions import read_transform, stamp_ns, to_depth, to_lens, to_rgb
from training.data.drive import read_depth
from training.data.open_drive import read_drive

DAY, DUSK, NIGHT = "day", "dusk", "night"


@dataclass(frozen=True)
class DemoFrame:
    """One image of the drive.

    Attributes:
        stamp_ns: when it was taken.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) metres, 0 where unknown (sky).
        daylight: 1 full day, 0 full night.
        T_odom_base: the true pose (4, 4), metres.
        depth: (H, W) metres as published, or None where the node dropped the frame.
        fused: the same, fused with the frames before by the odometry node.
        cloud: (h, w, 4) x, y, z of that (camera optical frame, metres), packed colour; or None.
        T_estimate: T_odom_base as published, or None.
        mode: network in use, ``day`` or ``night``; empty before the node said.
    """

    stamp_ns: int
    image: NDArray[np.uint8]
    truth: NDArray[np.float32]
    daylight: float
    T_odom_base: NDArray[np.float64]
    depth: NDArray[np.float32] | None = None
    fused: NDArray[np.float32] | None = None
    cloud: NDArray[np.float32] | None = None
    T_estimate: NDArray[np.float64] | None = None
    mode: str = ""

    @property
    def light(self) -> str:
        """``day``, ``dusk`` or ``night`` outside, whatever the node took it for."""
        return DAY if self.daylight > 0.95 else NIGHT if self.daylight < 0.05 else DUSK


@dataclass(frozen=True)
class DemoRun:
    """One drive through the nodes.

    ``counters`` are the nodes' last diagnostics by node; ``weights`` the start of the hash of each
    network's weights, by mode, as the depth node said.
    """

    camera: Camera
    T_base_cam: NDArray[np.float64]
    frames: tuple[DemoFrame, ...]
    counters: dict[str, dict[str, str]]
    weights: dict[str, str]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Time of each frame since the first, seconds."""
        stamps = np.array([frame.stamp_ns for frame in self.frames])
        return (stamps - stamps[0]) * 1e-9


def read_run(recording: Path, sequence: Path) -> DemoRun:
    """Return a recording of the nodes beside the truth of the rendered sequence.

    Raises:
        DataError: the recording is damaged or lacks the images of the sequence.
    """
    heard = _Heard(recording)
    drive = read_drive(sequence)
    daylight = json.loads((sequence / "meta.json").read_text())["daylight"]
    frames = []
    for i, frame in enumerate(drive.frames):
        stamp = frame.stamp_ns
        if stamp not in heard.images or stamp not in heard.truths or frame.depth is None:
            raise DataError(f"{recording}: lacks frame {i} of {sequence}; record it again")
        frames.append(
            DemoFrame(
                stamp,
                heard.images[stamp],
                read_depth(frame.depth),
                daylight[i],
                heard.truths[stamp],
                heard.depths.get(stamp),
                heard.fused.get(stamp),
                heard.clouds.get(stamp),
                heard.poses.get(stamp),
                heard.modes.get(stamp, ""),
            )
        )
    if heard.camera is None or heard.T_base_cam is None:
        raise DataError(f"{recording}: lacks {CAMERA_INFO} or /tf_static; record it again")
    return DemoRun(heard.camera, heard.T_base_cam, tuple(frames), heard.counters, heard.weights)


class _Heard:
    """The messages of a recording as arrays, by stamp."""

    def __init__(self, recording: Path) -> None:
        """Read it all."""
        self.images: dict[int, NDArray[np.uint8]] = {}
        self.depths: dict[int, NDArray[np.float32]] = {}
        self.fused: dict[int, NDArray[np.float32]] = {}
        self.clouds: dict[int, NDArray[np.float32]] = {}
        self.truths: dict[int, NDArray[np.float64]] = {}
        self.poses: dict[int, NDArray[np.float64]] = {}
        self.modes: dict[int, str] = {}
        self.counters: dict[str, dict[str, str]] = {}
        self.weights: dict[str, str] = {}
        self.camera: Camera | None = None
        self.T_base_cam: NDArray[np.float64] | None = None
        self._mode = ""
        for topic, _, msg in read_messages(recording):
            self._take(topic, msg)

    def _take(self, topic: str, msg: Any) -> None:
        """Keep what a message says."""
        if topic == IMAGE:
            self.images[stamp_ns(msg.header)] = to_rgb(msg)
        elif topic == "/depth/image_rect":
            self.depths[stamp_ns(msg.header)] = to_depth(msg)
            self.modes[stamp_ns(msg.header)] = self._mode
        elif topic == "/fused/depth/image_rect":
            self.fused[stamp_ns(msg.header)] = to_depth(msg)
        elif topic == "/fused/points":
            cloud = np.frombuffer(msg.data, np.float32).reshape(msg.height, msg.width, 4)
            self.clouds[stamp_ns(msg.header)] = cloud
        elif topic in (TRUTH, "/odom"):
            poses = self.truths if topic == TRUTH else self.poses
            pose = msg.pose.pose
            poses[stamp_ns(msg.header)] = read_transform(pose.position, pose.orientation)
        elif topic == "/depth/mode":
            self._mode = msg.data
        elif topic == "/diagnostics":
            for status in msg.status:
                said = {v.key: v.value for v in status.values}
                self.counters[status.name.split(":")[0]] = said
                if {"mode", "weights"} <= said.keys():
                    self.weights[said["mode"]] = said["weights"]
        elif topic == CAMERA_INFO:
            self.camera = to_lens(msg).rectified
        elif topic == STATIC_TF:
            mounting = msg.transforms[0].transform
            self.T_base_cam = read_transform(mounting.translation, mounting.rotation)
