"""Whether adapted weights are better on held-out frames than those they started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sdepth.markdown import table
from training.adapt.judge import Seen

LESS_OFF = 0.98
"""Depth must come nearer to where rays meet, and so far, to be more than chance."""
MORE_PHOTOMETRIC = 1.01
MORE_APART = 1.05
LESS_ABS_REL = 0.98
"""Where truth is known it decides, alone: AbsRel must fall by 2 %."""
MORE_METRES = 1.02
"""AbsRel in metres may rise no more."""
SCALE_HELD = 0.15
"""Where no one knows metres depth as a whole may not become larger or smaller than by this."""
SCALE_KNOWN = 0.5
"""Where poses say them it may, but by more only if something is wrong: both of a logarithm."""


@dataclass(frozen=True)
class Scores:
    """Means over held-out frames; ``None`` without truth, or without motion.

    Attributes:
        triangulated: difference of log depth to what rays say, but for each image's median.
        triangulated_scale: depth over that, median of all.
        photometric: error of neighbours warped by depth and the motion that fits it.
        apart: how far depths of neighbours contradict each other.
        steps: deviation of the scale from one frame to the next.
        rho: median length of the pose network's motion over that which fits the depth.
        rho_spread: its deviation over its median.
        abs_rel: scaled by each image's median.
        abs_rel_metres: in metres.
        delta1: share within 25 %, scaled.
        scale_spread: deviation of truth over estimate, over its median.
    """

    triangulated: float
    triangulated_scale: float
    photometric: float
    apart: float
    steps: float
    rho: float
    rho_spread: float
    abs_rel: float | None
    abs_rel_metres: float | None
    delta1: float | None
    scale_spread: float | None


TOLD = {
    "triangulated": "off from where rays meet, scaled by the median",
    "triangulated_scale": "depth over that",
    "photometric": "photometric error",
    "apart": "neighbouring depths contradict each other by",
    "steps": "scale changes from frame to frame by",
    "rho": "rho, 1 where motion fits depth",
    "rho_spread": "spread of rho",
    "abs_rel": "AbsRel, scaled by the median",
    "abs_rel_metres": "AbsRel, metres",
    "delta1": "within 25 %, scaled",
    "scale_spread": "spread of scale",
}


def score(seen: Sequence[Seen]) -> Scores:
    """Return the means of what weights said of held-out stretches."""
    photometric, apart, step, rho = (
        np.concatenate([getattr(s, name) for s in seen])
        for name in ("photometric", "apart", "step", "rho")
    )
    scaled = [e for s in seen for e in s.scaled]
    metres = [e for s in seen for e in s.metres]
    scales = np.array([e.scale for e in scaled])
    middle = float(np.median(rho))
    truth: tuple[float | None, ...] = (None,) * 4
    if scaled:
        truth = (
            float(np.mean([e.abs_rel for e in scaled])),
            float(np.mean([e.abs_rel for e in metres])),
            float(np.mean([e.delta1 for e in scaled])),
            float(np.std(scales / np.median(scales))),
        )
    off = np.concatenate([s.off for s in seen])
    by_rays = (np.nanmean(off[:, 0]), np.exp(np.nanmedian(off[:, 1])))
    by_motion = (middle, np.std(rho / middle))
    plain = (*by_rays, photometric.mean(), apart.mean(), step.std(), *by_motion)
    return Scores(*map(float, plain), *truth)


@dataclass(frozen=True)
class Verdict:
    """What was found, and why weights are, or are not, better."""

    before: Scores
    after: Scores
    scale: float
    reasons: tuple[str, ...]

    @property
    def better(self) -> bool:
        """Whether nothing speaks against the new weights."""
        return not self.reasons

    def table(self) -> str:
        """Return the scores as Markdown."""
        rows = []
        for name, told in TOLD.items():
            pair = getattr(self.before, name), getattr(self.after, name)
            if None not in pair:
                rows.append([told, *(f"{x:.4f}" for x in pair)])
        rows.append(["depth as a whole, over before", "1", f"{self.scale:.3f}"])
        return table(["held-out frames", "before", "after"], rows)

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return {**asdict(self), "better": self.better}


def decide(before: Sequence[Seen], after: Sequence[Seen], metres_known: bool) -> Verdict:
    """Return the verdict on weights by what both said of the same stretches.

    Args:
        before: of the weights they started from.
        after: of the new ones.
        metres_known: whether the drive said how far it went, so that depth may grow or shrink.
    """
    a, b = score(before), score(after)
    ratios = [np.median(y.depth / x.depth) for x, y in zip(before, after, strict=True)]
    scale = float(np.median(ratios))
    reasons = [] if a.abs_rel is not None else _without_truth(a, b)
    if abs(np.log(scale)) > (SCALE_KNOWN if metres_known else SCALE_HELD):
        reasons.append(f"depth as a whole became {scale:.2f} times what it was")
    for name, told, most in (
        ("abs_rel", "AbsRel", LESS_ABS_REL),
        ("abs_rel_metres", "AbsRel in metres", MORE_METRES),
    ):
        old, new = getattr(a, name), getattr(b, name)
        if old is not None and new > most * old:
            reasons.append(f"{told} {old:.3f} became {new:.3f}")
    return Verdict(a, b, scale, tuple(reasons))


def _without_truth(a: Scores, b: Scores) -> list[str]:
    """Return what speaks against new scores where only the images can tell."""
    reasons = []
    if b.triangulated > LESS_OFF * a.triangulated:
        said = f"by {b.triangulated:.3f}, before {a.triangulated:.3f}"
        reasons.append(f"depth is off from where rays meet {said}")
    if b.photometric > MORE_PHOTOMETRIC * a.photometric:
        reasons.append(f"photometric error {a.photometric:.4f} became {b.photometric:.4f}")
    if b.apart > MORE_APART * a.apart:
        reasons.append(f"neighbours' depths disagree by {b.apart:.4f}, before {a.apart:.4f}")
    return reasons
