"""Before and after, side by side: a page that needs nothing else, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sdepth.depth.colorize import colorize
from sdepth.files import atomic, write_bytes
from training.adapt.judge import Judge, Seen
from training.adapt.verdict import TOLD, Verdict
from training.evaluate.scoring import Depth, resized
from training.evaluate.web_page import data_uri, error_colours, style

FRAMES = 4
"""Held-out frames that are shown of each mode."""
NEAR_M, FAR_M = 2.0, 80.0
CHANGED = "change: red farther, blue nearer, full at a factor of 2"
WRONG = "error: red too far, blue too near, full at a factor of 2"

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """What came of day or night.

    Attributes:
        mode: day or night.
        frames: that were trained on.
        verdict: of the held-out ones.
        judge: which knows them.
        before: what the old weights say of them.
        after: what the new ones say.
        weights: the better ones.
        written: where new ones were written, if they were.
    """

    mode: str
    frames: int
    verdict: Verdict
    judge: Judge
    before: Sequence[Seen]
    after: Sequence[Seen]
    weights: Path
    written: Path | None = None

    @property
    def headline(self) -> str:
        """The verdict in a line."""
        if self.verdict.better:
            return f"better on the held-out frames: {self.written} was written"
        why = "; ".join(self.verdict.reasons)
        return f"not better ({why}): " + (
            f"{self.written} was written all the same" if self.written else "nothing was written"
        )

    def pictures(self) -> list[dict[str, Picture]]:
        """Return some held-out frames as pictures (H, W, 3) BGR, by what they show."""
        places = [(s, i) for s, seen in enumerate(self.before) for i in range(len(seen.depth))]
        with_truth = [(s, i) for s, i in places if i in self.judge.known[s].truths]
        places = with_truth or places
        chosen = np.linspace(0, len(places) - 1, min(FRAMES, len(places))).round().astype(int)
        return [self._frame(*places[n]) for n in chosen]

    def _frame(self, s: int, i: int) -> dict[str, Picture]:
        """Return the pictures of one frame of a stretch."""
        rgb = self.judge.known[s].stretch.images[i]
        shown = {"camera": np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)}
        old, new = self.before[s].depth[i], self.after[s].depth[i]
        shown |= {"before": colorize(old, NEAR_M, FAR_M), "after": colorize(new, NEAR_M, FAR_M)}
        truth = self.judge.known[s].truths.get(i)
        if truth is None:
            return shown | {CHANGED: error_colours(old, new, 1e9)}
        for name, depth in (("before", old), ("after", new)):
            shown[f"{name}, {WRONG}"] = _error(truth, depth, rgb.shape[:2])
        return shown


def _error(truth: Depth, depth: Depth, size: tuple[int, ...]) -> Picture:
    """Return the error of depth, scaled by the median as AbsRel is, in colours."""
    estimate = resized(depth, truth.shape, "inv_depth")
    known = (truth > 0) & (truth < FAR_M)
    scale = np.median(truth[known]) / np.median(estimate[known])
    colours = error_colours(truth, (estimate * scale).astype(np.float32), FAR_M)
    thick = np.ones((3, 3), np.uint8)  # sparse truth is thickened so that it can be seen
    if known.mean() < 0.3:
        colours = np.where(known[..., None], colours, 0)
        colours = np.asarray(cv2.dilate(colours, thick), np.uint8)
    return np.asarray(cv2.resize(colours, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def write_report(folder: Path, parts: Sequence[Part], drives: Sequence[str]) -> None:
    """Write ``report.html`` and ``report.png`` into a folder.

    Args:
        folder: where to.
        parts: by day, by night: at least one.
        drives: each drive in a line.
    """
    page = [
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Adapted</title>"
        f"<style>{style()}</style></head><body><header><h1>Weights adapted to your drives</h1>"
        + "".join(f"<p class='hint'>{escape(line)}</p>" for line in drives)
        + "</header>"
    ]
    for part in parts:
        page.append(
            f"<section><h2>By {part.mode}: {escape(part.headline)}</h2>"
            f"<p class='hint'>Trained on {part.frames} frames; all below is of the last fifth of "
            f"each drive, which was not trained on.</p><div class='tiles'>{_tiles(part.verdict)}"
            "</div></section>"
        )
        for frame in part.pictures():
            figures = (
                f"<figure><figcaption>{escape(name)}</figcaption><img src='{data_uri(picture)}' "
                f"alt='{escape(name)}'></figure>"
                for name, picture in frame.items()
            )
            page.append(f"<section><div class='pictures'>{''.join(figures)}</div></section>")
    write_bytes(folder / "report.html", "".join([*page, "</body></html>\n"]).encode())
    with atomic(folder / "report.png") as partial:
        _draw(parts).savefig(partial, dpi=80)


def _tiles(verdict: Verdict) -> str:
    """Return the scores, before and after."""
    tiles = []
    for name, told in TOLD.items():
        pair = getattr(verdict.before, name), getattr(verdict.after, name)
        if None not in pair:
            tiles.append(
                f"<div class='tile'><b>{pair[0]:.3f} → {pair[1]:.3f}</b>"
                f"<span>{escape(told)}</span></div>"
            )
    return "".join(tiles)


def _draw(parts: Sequence[Part]) -> Figure:
    """Return the page as one picture."""
    rows = [(part, frame) for part in parts for frame in part.pictures()]
    columns = max(len(frame) for _, frame in rows)
    figure = Figure(figsize=(4.6 * columns, 1.75 * len(rows) + 0.6), layout="constrained")
    axes: Any = figure.subplots(len(rows), columns, squeeze=False)
    for (part, frame), strip in zip(rows, axes, strict=True):
        for axis in strip:
            axis.set_axis_off()
        for axis, (name, picture) in zip(strip, frame.items(), strict=False):
            axis.imshow(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            axis.set_title(name if name != "camera" else f"by {part.mode}", size=9)
    heads = [f"by {p.mode}: {'better' if p.verdict.better else 'not better'}" for p in parts]
    figure.suptitle("Before and after, on frames not trained on; " + "; ".join(heads), size=13)
    return figure
