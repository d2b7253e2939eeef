"""What of a drive is worth learning from: rules that are measured on its images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.depth.daynight import AUTO, DAY, NIGHT, ModeSelector, mean_luminance
from training.adapt.sources import Source
from training.data.recording import RecordedFrame

Image = NDArray[np.uint8]

LEAST_PERIOD_S = 0.08
"""Frames nearer in time are left out: between them hardly anything moves."""
LEAST_FLOW = 1 / 320
"""The picture has moved once half of its points have, by so much of its width."""
LEAST_POINTS = 20
"""Fewer points to follow, and the image is dark, blank or out of focus."""
CUT = 0.15
"""Fewer of the points are found again, and the frames do not follow each other."""
BLOCKED = 0.5
"""So little of what is usually found again: a wiper, spray or glare is in the way."""
DIRT = 0.35
"""More of the pictures' structure stands still while the scene moves: said, not left out, for the
auto-mask gives it no say."""
_LK = {"winSize": (15, 15), "maxLevel": 3}


@dataclass
class Sifted:
    """The frames of a source that are worth learning from.

    Attributes:
        source: where they come from.
        frames: those kept, in order of time.
        images: RGB (h, w, 3) of each at the network's size.
        modes: day or night, of each.
        run: of each, the number of the stretch without a cut that it is in.
        left_out: how many frames were left out, by why.
        dirt: share of the picture's structure that stands still.
    """

    source: Source
    frames: list[RecordedFrame] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    run: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    dirt: float = 0.0

    def keep(self, frame: RecordedFrame, image: Image, mode: str, cut: bool) -> None:
        """Take a frame, which does not follow the one before where there was a ``cut``."""
        new = bool(self.modes) and (cut or mode != self.modes[-1])
        self.run.append((self.run[-1] if self.run else 0) + new)
        self.frames.append(frame)
        self.images.append(image)
        self.modes.append(mode)

    def describe(self) -> str:
        """Return the drive in a line."""
        modes = Counter(self.modes)
        said = ", ".join(f"{modes[m]} by {m}" for m in (DAY, NIGHT) if modes[m]) or "none"
        out = ", ".join(f"{n} {why}" for why, n in self.left_out.most_common())
        dirt = f"; {self.dirt:.0%} of its structure stands still: dirt, or one view"
        name, count = self.source.recording.name, self.source.recording.count
        return (
            f"{name}: {said} of {count} frames to learn from"
            + (f"; left out: {out}" if out else "")
            + (dirt if self.dirt > DIRT else "")
        )


def sift(source: Source, size: tuple[int, int], mode: str = AUTO) -> Sifted:
    """Return the frames of a source that are worth learning from.

    Args:
        source: a drive.
        size: (height, width) of the images kept.
        mode: ``day``, ``night``, or ``auto`` as bright as they are.

    Raises:
        DataError: an image is missing, damaged, or of another camera.
    """
    found, selector = Sifted(source), ModeSelector()
    shares: list[float] = []
    before: Image | None = None
    last_ns = 0
    for frame in source.recording.frames():
        pixels = frame.pixels()
        whole = source.recording.rectified(pixels, frame.name)
        bright = selector.update(mean_luminance(pixels), frame.stamp_ns)
        if before is not None and 0 <= frame.stamp_ns - last_ns < LEAST_PERIOD_S * 1e9:
            found.left_out["too soon after another"] += 1
            continue
        image = np.asarray(cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        points = corners(grey)
        if len(points) < LEAST_POINTS:
            found.left_out["black or blank"] += 1
            continue
        cut = False
        if before is not None:
            flow, share = follow(before, grey)
            cut = share < CUT
            if not cut and flow < LEAST_FLOW * size[1]:
                found.left_out["standing"] += 1
                continue
            if not cut and len(shares) > 10 and share < BLOCKED * float(np.median(shares)):
                found.left_out["blocked"] += 1
                continue
            shares.append(share)
        found.keep(frame, image, bright if mode == AUTO else mode, cut)
        before, last_ns = grey, frame.stamp_ns
    found.dirt = still_share(found.images)
    return found


def corners(grey: Image) -> NDArray[np.float32]:
    """Return points (N, 1, 2) that can be followed, evenly spread; those of the noise are none."""
    if float(grey.std()) < 2:
        return np.zeros((0, 1, 2), np.float32)
    found = cv2.goodFeaturesToTrack(grey, 200, 0.01, 6)
    return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)


def follow(before: Image, now: Image) -> tuple[float, float]:
    """Return by how many pixels half of the points moved, and the share that is found again.

    Points are followed forth and back (Kalal et al. 2010).
    """
    points = corners(before)
    forth, ok, _ = cv2.calcOpticalFlowPyrLK(before, now, points, None, **_LK)  # type: ignore[call-overload]
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(now, before, forth, None, **_LK)  # type: ignore[call-overload]
    good = (ok > 0)[:, 0] & (ok_back > 0)[:, 0] & (np.abs(back - points).max((1, 2)) < 0.5)
    if not good.any():
        return 0.0, 0.0
    moved = np.linalg.norm((forth - points)[good, 0], axis=1)
    return float(np.median(moved)), float(good.mean())


def still_share(images: list[Image], at_most: int = 60) -> float:
    """Return the share of the pictures' structure that stands still while they change.

    Edges of the mean picture are as strong as those of each only where nothing moves: the own
    bonnet, dirt, drops, a reflection in the window.
    """
    if len(images) < 10:
        return 0.0
    some = images[:: -(-len(images) // at_most)]
    grey = [cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(np.float32) for i in some]
    each, mean = np.mean([_edges(g) for g in grey], 0), _edges(np.mean(grey, 0))
    textured = each > 4
    return float(((mean > 0.7 * each) & textured).sum() / max(textured.sum(), 1))


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the strength of edges (H, W), levels per pixel."""
    return np.hypot(cv2.Sobel(grey, -1, 1, 0, scale=0.125), cv2.Sobel(grey, -1, 0, 1, scale=0.125))
