"""From sifted drives to what is trained on and what is held out, apart in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from training.adapt.sift import Image, Sifted
from training.adapt.sources import Source
from training.data.recording import RecordedFrame

HELD = 0.2
"""The last fifth of a drive is never trained on."""
SHORTEST = 3
LEAST_FRAMES, LEAST_HELD = 32, 6
"""Fewer frames to train on, or to judge by, are too few."""


@dataclass(frozen=True)
class Stretch:
    """Frames of one camera that follow each other.

    Attributes:
        name: of the drive and the stretch.
        source: where they come from.
        camera: of the images at the network's size.
        frames: as they were recorded.
        images: RGB (h, w, 3) of each.
    """

    name: str
    source: Source
    camera: Camera
    frames: tuple[RecordedFrame, ...]
    images: tuple[Image, ...]

    @property
    def has_poses(self) -> bool:
        """Whether every frame's pose is known, metres."""
        return all(frame.T_world_cam is not None for frame in self.frames)


@dataclass(frozen=True)
class Material:
    """What there is by day, or by night."""

    mode: str
    train: tuple[Stretch, ...]
    held: tuple[Stretch, ...]

    @property
    def frames(self) -> int:
        """How many are trained on."""
        return sum(len(s.frames) for s in self.train)

    @property
    def enough(self) -> bool:
        """Whether it can be learned from, and judged."""
        held = sum(len(s.frames) for s in self.held)
        return self.frames >= LEAST_FRAMES and held >= LEAST_HELD

    @property
    def has_metres(self) -> bool:
        """Whether poses say how far every frame moved."""
        return all(s.has_poses for s in self.train)


def divide(drives: list[Sifted], mode: str) -> Material:
    """Return the frames by day or by night, the last fifth of each drive's held out."""
    train, held = list[Stretch](), list[Stretch]()
    for drive in drives:
        mine = [i for i, m in enumerate(drive.modes) if m == mode]
        first_held = len(mine) - round(HELD * len(mine))
        train += _stretches(drive, mine[:first_held])
        held += _stretches(drive, mine[first_held:])
    return Material(mode, tuple(train), tuple(held))


def _stretches(drive: Sifted, indices: list[int]) -> Iterator[Stretch]:
    """Yield the stretches without a cut in some frames of a drive."""
    for run, group in groupby(indices, lambda i: drive.run[i]):
        some = list(group)
        if len(some) < SHORTEST:
            continue
        images = tuple(drive.images[i] for i in some)
        height, width = images[0].shape[:2]
        made = drive.source.recording
        yield Stretch(
            f"{made.name}_{run:02d}" if drive.run[-1] else made.name,
            drive.source,
            made.camera.resized(width, height),
            tuple(drive.frames[i] for i in some),
            images,
        )


def check_enough(material: list[Material], drives: list[Sifted]) -> None:
    """Refuse drives that nothing can be learned from.

    Raises:
        DataError: by day and by night there are too few frames.
    """
    if any(m.enough for m in material):
        return
    said = " / ".join(drive.describe() for drive in drives)
    raise DataError(
        f"too little to learn from: {said}; expected {LEAST_FRAMES} frames that move and, of the "
        f"last fifth, {LEAST_HELD} to judge by: 40 in all, 4 s of driving"
    )
