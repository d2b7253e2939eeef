"""Poses at the times of images, from poses at other times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

Pose = NDArray[np.float64]


def from_first(T_world_cam: Sequence[Pose | None]) -> list[Pose | None]:
    """Return poses (4, 4) in the frame of the first one known; None where unknown."""
    first = next((T for T in T_world_cam if T is not None), None)
    if first is None:
        return list(T_world_cam)
    T_first_world = np.linalg.inv(first)
    return [None if T is None else T_first_world @ T for T in T_world_cam]


def poses_at(
    wanted_ns: Sequence[int], known_ns: Sequence[int], T: NDArray[np.float64], max_gap_s: float
) -> list[Pose | None]:
    """Return poses (4, 4) at ``wanted_ns``, None where unknown.

    Between two known ones, positions go straight and rotations evenly.

    Args:
        wanted_ns: times, nanoseconds.
        known_ns: times of ``T``, increasing.
        T: known poses (N, 4, 4), metres.
        max_gap_s: nothing is known between poses farther apart than this.
    """
    at, known = np.asarray(wanted_ns, np.int64), np.asarray(known_ns, np.int64)
    if len(known) < 2:
        return [None] * len(at)
    upper = np.clip(np.searchsorted(known, at, "left"), 1, len(known) - 1)
    inside = (at >= known[0]) & (at <= known[-1])
    exact = (at == known[upper]) | (at == known[upper - 1])
    sure = inside & (exact | (known[upper] - known[upper - 1] <= max_gap_s * 1e9))
    seconds = (known - known[0]) * 1e-9
    when = np.clip((at - known[0]) * 1e-9, 0, seconds[-1])
    out = np.tile(np.eye(4), (len(at), 1, 1))
    out[:, :3, :3] = Slerp(seconds, Rotation.from_matrix(T[:, :3, :3]))(when).as_matrix()
    out[:, :3, 3] = np.stack([np.interp(when, seconds, x) for x in T[:, :3, 3].T], -1)
    return [pose if ok else None for pose, ok in zip(out, sure, strict=True)]
