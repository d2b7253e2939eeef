"""The source image as the target camera would see it: the one ``grid_sample`` of the project."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sdepth.geometry import projection
from sdepth.shapes import check_shape


def sample(image: Tensor, uv: Tensor) -> Tensor:
    """Return ``image`` (B, C, H, W) read bilinearly at pixels ``uv`` (B, 2, h, w).

    Beyond the border the border pixel is repeated.

    Convention: (0, 0) is the centre of the top-left pixel; grid_sample's corner-to-corner
    coordinates are x = (2u + 1) / W - 1 with ``align_corners=False``.
    """
    size = check_shape("image", image, "B C H W")
    check_shape("uv", uv, "B 2 h w")
    extent = uv.new_tensor([size["W"], size["H"]]).view(1, 2, 1, 1)
    grid = ((2 * uv + 1) / extent - 1).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def warp(
    image_src: Tensor, depth_tgt: Tensor, T_src_tgt: Tensor, K: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the source image seen from the target view, and where it is visible.

    Args:
        image_src: (B, C, H, W).
        depth_tgt: (B, 1, H, W), metres, of the target view.
        T_src_tgt: (B, 4, 4), maps target points into the source frame.
        K: intrinsics (B, 3, 3), pixels, shared by both views.

    Returns:
        image_tgt (B, C, H, W), and visible (B, 1, H, W) bool: in front of the source camera and
        between its image borders.

    Source: Zhou et al. 2017, eq. 2; border padding as Godard et al. 2019.
    """
    size = check_shape("image_src", image_src, "B C H W")
    p_src = projection.transform(T_src_tgt, projection.unproject(depth_tgt, K))
    uv, z = projection.project(p_src, K)
    u, v = uv[:, :1], uv[:, 1:]
    inside = (u >= -0.5) & (u <= size["W"] - 0.5) & (v >= -0.5) & (v <= size["H"] - 0.5)
    return sample(image_src, uv), inside & (z > projection.MIN_Z)
