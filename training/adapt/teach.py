"""What is trained on: small images with the depth and motion that triangulation finds in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.threads import one_thread
from training.adapt.judge import predict
from training.adapt.prepare import Material, Stretch
from training.adapt.triangulate import Triangulated, triangulate
from training.adapt.two_views import Array
from training.data.recording import RecordedFrame, Recording
from training.data.write import WriteConfig, claim, write_recording
from training.evaluate.drive_motion import chain
from training.spread import Workers

ALIKE = 2.0
"""Depth that differs from the starting network's by more than this factor is not taught: a
mismatch, or what moves. The judge does without."""


def write(out: Path, material: Material, start: Path, workers: Workers | None = None) -> None:
    """Write the frames to train on, with what they say, at the network's size.

    Args:
        out: folder, new or of the same drives.
        material: what is trained on.
        start: weights that training starts from.
        workers: each takes a stretch.

    Raises:
        DataError: the folder was made of other drives, or an image is damaged.
        CheckpointError: the weights cannot be used.
    """
    stretches = unique(material.train)
    made = {"start": start.name, "drives": [*map(_identity, stretches)]}
    claim(out, {"generator": "training.adapt", **made})
    done = out / "sequences"  # a stretch's calib.txt is written last
    left = [s for s in stretches if not (done / s.name / "calib.txt").is_file()]
    (workers or Workers()).map(teach, left, out, start, bar="triangulating")


@one_thread()
def teach(stretch: Stretch, out: Path, start: Path) -> None:
    """Write a stretch with what it says, where that is not too far from what ``start`` says."""
    said = predict(start, stretch)
    seen = triangulate(stretch, said)
    seen = replace(seen, depth=np.where(alike(seen.depth, said), seen.depth, 0))
    write_recording(out, _small(stretch, seen), WriteConfig(workers=1))


def alike(answer: Array, depth: Array) -> NDArray[np.bool_]:
    """Return where answers (N, h, w) are near the network's depth, whatever its unit."""
    known = answer > 0
    log = np.log(np.where(known, answer, 1) / depth)
    middle = np.median(log[known]) if known.any() else 0.0
    return np.asarray(known & (np.abs(log - middle) < np.log(ALIKE)))


def unique(stretches: tuple[Stretch, ...]) -> list[Stretch]:
    """Return stretches of which no two have one name."""
    names = [s.name for s in stretches]
    return [
        replace(s, name=f"{s.name}_{i:02d}") if names.count(s.name) > 1 else s
        for i, s in enumerate(stretches)
    ]


def _identity(stretch: Stretch) -> str:
    """Return what tells frames of one drive from those of another."""
    first, last = stretch.frames[0].stamp_ns, stretch.frames[-1].stamp_ns
    return f"{stretch.name}: {len(stretch.frames)} frames, {first} to {last} ns"


def _small(stretch: Stretch, seen: Triangulated) -> Recording:
    """Return the stretch as a recording of its small images and of what they say."""

    def recorded() -> Iterator[RecordedFrame]:
        poses = chain(seen.T_later_earlier)
        rows = zip(stretch.frames, stretch.images, seen.depth, poses, strict=True)
        for frame, image, depth, T in rows:
            make_image, make_depth = partial(np.copy, image), partial(np.copy, depth)
            yield RecordedFrame(frame.name, frame.stamp_ns, make_image, make_depth, T)

    height = stretch.source.recording.camera_height_m
    return Recording(stretch.name, stretch.camera, len(stretch.frames), recorded, height)
