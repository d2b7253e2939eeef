"""monodepth2's training step in the obvious PyTorch calls: what ours is timed against.

Same networks, same images; everything else as one first writes it after the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.geometry import se3

NEAREST_M, FARTHEST_M = 0.1, 100.0
Batch = dict[str, Tensor]


def plain_warp(image: Tensor, depth: Tensor, T: Tensor, K: Tensor) -> Tensor:
    """Return the source (B, 3, H, W) seen from the target, by homogeneous matrices."""
    count, _, height, width = image.shape
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)]).float().view(1, 3, -1).to(image.device)
    points = depth.view(count, 1, -1) * torch.matmul(torch.inverse(K), pixels)
    points = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    seen = torch.matmul(torch.matmul(K, T[:, :3]), points)
    uv = (seen[:, :2] / (seen[:, 2:] + 1e-7)).view(count, 2, height, width).permute(0, 2, 3, 1)
    size = torch.tensor([width - 1, height - 1], device=image.device)
    return F.grid_sample(image, 2 * uv / size - 1, padding_mode="border", align_corners=True)


class PlainLoss(nn.Module):
    """The loss as one first writes it. Source: Godard et al. 2019, section 3."""

    def __init__(self) -> None:
        """Make the layers of SSIM."""
        super().__init__()
        self.pad, self.mean = nn.ReflectionPad2d(1), nn.AvgPool2d(3, 1)

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the photometric error (B, 1, H, W)."""
        l1 = torch.abs(x - y).mean(1, True)
        x, y = self.pad(x), self.pad(y)
        mu_x, mu_y = self.mean(x), self.mean(y)
        var_x, var_y = self.mean(x**2) - mu_x**2, self.mean(y**2) - mu_y**2
        cov = self.mean(x * y) - mu_x * mu_y
        similarity = (2 * mu_x * mu_y + 0.01**2) * (2 * cov + 0.03**2)
        energy = (mu_x**2 + mu_y**2 + 0.01**2) * (var_x + var_y + 0.03**2)
        ssim = torch.clamp((1 - similarity / energy) / 2, 0, 1).mean(1, True)
        return 0.85 * ssim + 0.15 * l1

    def smoothness(self, disp: Tensor, image: Tensor) -> Tensor:
        """Return the edge-aware smoothness, a scalar."""
        disp = disp / (disp.mean(2, True).mean(3, True) + 1e-7)
        grad_x = torch.abs(disp[:, :, :, :-1] - disp[:, :, :, 1:])
        grad_y = torch.abs(disp[:, :, :-1, :] - disp[:, :, 1:, :])
        edge_x = torch.mean(torch.abs(image[:, :, :, :-1] - image[:, :, :, 1:]), 1, True)
        edge_y = torch.mean(torch.abs(image[:, :, :-1, :] - image[:, :, 1:, :]), 1, True)
        return (grad_x * torch.exp(-edge_x)).mean() + (grad_y * torch.exp(-edge_y)).mean()

    def forward(self, batch: Batch, disps: list[Tensor], motions: list[Tensor]) -> Tensor:
        """Return the loss of disparities, finest first, and T_source_target of both sources."""
        before, target, after = batch["images"].unbind(1)
        total: Tensor | float = 0.0
        for scale, disp in enumerate(disps):
            full = F.interpolate(disp, target.shape[2:], mode="bilinear", align_corners=False)
            depth = 1 / (1 / FARTHEST_M + (1 / NEAREST_M - 1 / FARTHEST_M) * full)
            identity, warped = [], []
            for source, T in zip((before, after), motions, strict=True):
                warped.append(self.error(plain_warp(source, depth, T, batch["K"]), target))
                identity.append(self.error(source, target))
            same = torch.cat(identity, 1)
            same = same + torch.randn(same.shape, device=same.device) * 1e-5
            smallest, _ = torch.min(torch.cat([same, torch.cat(warped, 1)], 1), 1)
            image = F.interpolate(target, disp.shape[2:], mode="area")
            total = total + smallest.mean() + 1e-3 * self.smoothness(disp, image) / 2**scale
        return torch.as_tensor(total) / len(disps)


def plain_step(
    depth_net: nn.Module,
    pose_net: nn.Module,
    loss: PlainLoss,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
) -> float:
    """Return the loss of one optimiser step."""
    before, now, after = batch["inputs"].unbind(1)
    disps = depth_net(now)
    motions = [se3.inverse(pose_net(before, now)), pose_net(now, after)]
    total = loss(batch, disps, motions)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return float(total.detach())
