"""monodepth2's self-supervision: photometric error, per-pixel minimum, auto-mask, smoothness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sdepth.shapes import check_shape


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms."""

    ssim_weight: float = 0.85  # Godard et al. 2019, eq. 3; the rest is L1
    smooth_weight: float = 1e-3  # halved at each coarser scale
    scales: int = 4  # disparities that get a loss, finest first
    auto_mask: bool = True
    speed_weight: float = 0.0  # ties |t| to speed x dt, so that depth becomes metres
    motion_weight: float = 0.0  # ties the whole motion to the vehicle's, where it is known
    known_motion: bool = False  # warp with the vehicle's motion, where it is known
    geometry_weight: float = 0.0  # depth of neighbours must agree (Bian et al. 2019: 0.5)
    projection_weight: float = 0.0  # points of neighbours must agree (DASP's 3D consistency)
    projection_normalized: bool = True  # by their distance; else in metres, which shrinks depth


def ssim_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return (1 - SSIM) / 2, per pixel and channel, clamped to 0..1: (B, C, H, W).

    Windows are 3x3 means with reflection padding. Source: Godard et al. 2017, section 3.3.
    """
    check_shape("x", x, "B C H W")
    check_shape("y", y, " ".join(str(n) for n in x.shape))
    x, y = F.pad(x, (1, 1, 1, 1), mode="reflect"), F.pad(y, (1, 1, 1, 1), mode="reflect")
    channels = x.shape[1]
    # A depthwise convolution is six times faster on a CPU than avg_pool2d, forth and back.
    window = x.new_full((5 * channels, 1, 3, 3), 1 / 9)
    moments = F.conv2d(torch.cat([x, y, x * x, y * y, x * y], 1), window, groups=5 * channels)
    mu_x, mu_y, xx, yy, xy = moments.split(channels, 1)
    var_x, var_y, cov = xx - mu_x * mu_x, yy - mu_y * mu_y, xy - mu_x * mu_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mu_x * mu_y + c1) * (2 * cov + c2)
    energy = (mu_x * mu_x + mu_y * mu_y + c1) * (var_x + var_y + c2)
    return ((1 - similarity / energy) / 2).clamp(0, 1)


def photometric_error(x: Tensor, y: Tensor, ssim_weight: float) -> Tensor:
    """Return the photometric error per pixel (B, 1, H, W) of images (B, 3, H, W) in [0, 1].

    Source: Godard et al. 2019, eq. 3.
    """
    l1 = (x - y).abs().mean(1, keepdim=True)
    if ssim_weight == 0:
        return l1
    return ssim_weight * ssim_distance(x, y).mean(1, keepdim=True) + (1 - ssim_weight) * l1


def min_reprojection(
    warped: Tensor, identity: Tensor | None, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the mean over pixels of the smallest error, and which pixels (B, 1, H, W) it moves.

    The mean is over all pixels, those of the auto-mask included, which move nothing.

    Args:
        warped: errors (B, N, H, W) of the N sources warped into the target.
        identity: errors (B, N, H, W) of the N sources as they are, or None for no auto-mask: a
            pixel that an unwarped source explains best gives no gradient.
        noise: (B, N, H, W), breaks ties between the identities, or None.

    Source: Godard et al. 2019, eqs. 4 and 5.
    """
    if identity is None:
        errors = warped.min(1, keepdim=True)
        return errors.values.mean(), torch.ones_like(errors.indices, dtype=torch.bool)
    errors = torch.cat([identity + noise * 1e-5, warped], 1).min(1, keepdim=True)  # type: ignore[operator]
    return errors.values.mean(), errors.indices >= identity.shape[1]


def smoothness(disp: Tensor, image: Tensor) -> Tensor:
    """Return the edge-aware smoothness of mean-normalised disparity, a scalar.

    Args:
        disp: (B, 1, H, W).
        image: (B, 3, H, W) in [0, 1] of the same size.

    Source: Godard et al. 2019, section 3, "Additional considerations".
    """
    disp = disp / (disp.mean((2, 3), keepdim=True) + 1e-7)
    grad_x = (disp[..., :-1] - disp[..., 1:]).abs()
    grad_y = (disp[..., :-1, :] - disp[..., 1:, :]).abs()
    edge_x = (image[..., :-1] - image[..., 1:]).abs().mean(1, keepdim=True)
    edge_y = (image[..., :-1, :] - image[..., 1:, :]).abs().mean(1, keepdim=True)
    return (grad_x * torch.exp(-edge_x)).mean() + (grad_y * torch.exp(-edge_y)).mean()


def speed_loss(T: Tensor, T_true: Tensor) -> Tensor:
    """Return how far |t| is from the distance driven, metres; unknown motion does not count.

    Args:
        T: transforms (B, 4, 4).
        T_true: the vehicle's (B, 4, 4), NaN where unknown; only its distance is used.

    Source: Guizilini et al. 2020 (PackNet-SfM), eq. 6.
    """
    known, T_true = is_known(T_true), T_true.nan_to_num()
    length, length_true = (torch.linalg.vector_norm(x[:, :3, 3], dim=1) for x in (T, T_true))
    return mean_of((length - length_true).abs(), known)


def motion_loss(T: Tensor, T_true: Tensor, metres_per_radian: float = 10.0) -> Tensor:
    """Return how far transforms are from the vehicle's, metres; unknown motion does not count.

    Args:
        T: transforms (B, 4, 4).
        T_true: the vehicle's (B, 4, 4), NaN where unknown.
        metres_per_radian: a turn counts as what it moves at this distance.
    """
    known, T_true = is_known(T_true), T_true.nan_to_num()
    shift = torch.linalg.vector_norm(T[:, :3, 3] - T_true[:, :3, 3], dim=1)
    turn = torch.linalg.matrix_norm(T[:, :3, :3] - T_true[:, :3, :3]) / 2**0.5
    return mean_of(shift + metres_per_radian * turn, known)


def is_known(T: Tensor) -> Tensor:
    """Return which of the transforms (B, 4, 4) are numbers, (B,) bool."""
    return torch.isfinite(T).flatten(1).all(1)


def mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of the values, of any shape, that count; 0 where none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
