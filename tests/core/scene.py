"""An analytic scene for alignment: a slanted, textured plane seen from two places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sdepth.alignment import pyramid
from sdepth.alignment.residual import Level
from sdepth.geometry import projection, se3

SIZE = (96, 320)
SIZES = ((24, 80), (48, 160), SIZE)
"""Of the levels, coarse to fine."""
K = torch.tensor([[[180.0, 0, 159.5], [0, 180.0, 47.5], [0, 0, 1]]], dtype=torch.float64)
PLANE_NORMAL, PLANE_DISTANCE = torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64), 9.0
T_TRUE = se3.from_rotvec(
    torch.tensor([[0.004, 0.02, -0.003]], dtype=torch.float64),
    torch.tensor([[0.05, -0.02, -0.6]], dtype=torch.float64),
)


def view(T_cam_tgt: Tensor, fineness: float = 4.0) -> tuple[Tensor, Tensor]:
    """Return image (1, 1, H, W) and depth of a slanted plane with waves of about so many rad/m."""
    R, t = T_cam_tgt[:, :3, :3], T_cam_tgt[:, :3, 3]
    normal = (R @ PLANE_NORMAL[:, None])[..., 0]
    distance = PLANE_DISTANCE + (normal * t).sum(1)
    rays = projection.pixel_rays(K, *SIZE)
    depth = distance / (rays * normal[:, :, None, None]).sum(1, keepdim=True)
    p = projection.transform(se3.inverse(T_cam_tgt), depth * rays)
    waves = torch.Generator().manual_seed(0)
    image = torch.zeros_like(depth)
    for _ in range(40):
        k = torch.randn(2, generator=waves).double() * fineness
        phase = 6.3 * torch.rand(1, generator=waves).double()
        image += torch.sin(k[0] * p[:, :1] + k[1] * p[:, 1:2] + phase)
    return 0.5 + image / 40, depth


def scene(
    change: float = 1.0,
    scale: float = 1.0,
    features: Callable[[Tensor], Tensor] = torch.clone,
    sizes: Sequence[tuple[int, int]] = SIZES,
    fineness: float = 4.0,
) -> list[Level]:
    """Return the levels of two views; the second's contrast changed, depth in other units.

    Features are the image itself, the same surface at the same brightness in both views, so that
    nothing but the solver errs; or what ``features`` makes of it.
    """
    target, depth = view(torch.eye(4, dtype=torch.float64)[None], fineness)
    source = view(T_TRUE, fineness)[0] * change
    levels = []
    for size in sizes:
        small = [torch.nn.functional.interpolate(i, size, mode="area") for i in (target, source)]
        s = size[1] / SIZE[1]
        levels.append(
            Level(
                features(small[0]),
                features(small[1]),
                pyramid.shrink_depth(depth * scale, size),
                projection.resized_K(K, s, s),
            )
        )
    return levels


def start(size: float = 0.5, yaw_deg: float = 2.0, scale: float = 1.0) -> Tensor:
    """Return the true motion with another length and turned."""
    turn = torch.tensor([[0.0, np.radians(yaw_deg), 0.0]], dtype=torch.float64)
    T = se3.from_rotvec(turn, torch.zeros(1, 3, dtype=torch.float64)) @ T_TRUE
    T[:, :3, 3] = T_TRUE[:, :3, 3] * size * scale
    return T


def stacked(*samples: Level) -> Level:
    """Return the batch of several samples of one level."""
    names = ("target", "source", "depth", "K", "target_confidence", "source_confidence")
    columns = ([getattr(s, name) for s in samples] for name in names)
    return Level(*(torch.cat(c) if c[0] is not None else None for c in columns))
