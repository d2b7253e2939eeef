"""The training step where depth is known, as it is in the rendered world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.alignment.refiner import Refiner
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.efficientnet_lite import EfficientNetLiteEncoder
from sdepth.models.pose_net import MotionNet
from training.losses.photometric import mean_of
from training.step_output import Losses, StepOutput


@dataclass(frozen=True)
class TruthConfig:
    """Supervision by true depth; off unless ``weight`` is more than 0.

    Attributes:
        weight: of the error of log depth; the other weights are relative to it.
        invariant: of the deviation of that error, which a wrong scale leaves as it is.
        relative: of the error as a share of the truth, which far answers for near things raise.
        gradient: of the error's gradients at several scales: edges.
        sky: of sky that comes out nearer than ``sky_beyond_m``.
        tie: of the cosine between the encoder's features and ImageNet's (lite0).
        sky_beyond_m: for the canonical camera.
    """

    weight: float = 0.0
    invariant: float = 1.0
    relative: float = 0.0
    gradient: float = 0.5
    sky: float = 0.5
    tie: float = 0.0
    sky_beyond_m: float = 90.0


class Supervised(nn.Module):
    """A depth network taught by true depth; its motion networks wait for other stages."""

    def __init__(
        self,
        depth_net: DepthNet,
        pose_net: MotionNet,
        refiner: Refiner | None,
        truth: TruthConfig,
        depth_range_m: tuple[float, float],
        scales: int,
        teacher: EfficientNetLiteEncoder | None = None,
        same_blocks: int = 0,
    ) -> None:
        """Hold the networks; pose network and refinement are only carried along.

        ``teacher`` is what the encoder is tied to; both have the same first ``same_blocks``.
        """
        super().__init__()
        self.depth_net, self.pose_net, self.refiner = depth_net, pose_net, refiner
        self.truth, self.depth_range_m, self.scales = truth, depth_range_m, scales
        self.same_blocks = same_blocks
        self.teacher = teacher.requires_grad_(False).eval() if teacher else None
        self.average: DepthNet | None = None  # of the depth network's weights over steps

    def train(self, mode: bool = True) -> Supervised:
        """Set the networks' mode; what they are tied to stays as it was."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, batch: dict[str, Tensor], step: int = 0) -> StepOutput:
        """Return the losses of a batch, the disparities they came of, and pictures.

        Args:
            batch: of ``training.data.frames``: ``image`` (B, 3, H, W), ``depth`` and ``sky``
                (B, 1, H, W), ``focal_scale`` (B,).
            step: of the run.
        """
        t, image = self.truth, batch["image"]
        features, before = self._features(image)
        disps = self.depth_net.decode(features, self.scales)
        focal = batch["focal_scale"].view(-1, 1, 1, 1)
        log_true = (batch["depth"] / focal).clamp(*self.depth_range_m).log()
        known = batch["depth"] > 0
        losses: Losses = {}
        # Every scale answers for depth and sky, the finest for edges and shares, too.
        for i, disp in enumerate(disps):
            full = F.interpolate(disp.float(), image.shape[2:], mode="bilinear") if i else disp
            log_depth = disp_to_depth(full.float(), self.depth_range_m).log()
            error = (log_depth - log_true) * known
            parts = {"depth": mean_of(error.abs(), known)}
            parts["sky"] = mean_of(_too_near(log_depth, t.sky_beyond_m), batch["sky"])
            if i == 0:
                parts["invariant"] = deviation(error, known)
                parts["relative"] = mean_of(error.clamp(max=1.5).expm1().abs(), known)
                parts["gradient"] = gradient_error(error, known)
            for name, value in parts.items():
                losses[name] = losses.get(name, torch.zeros(())) + value / (2**i)

        total = losses["depth"] + t.invariant * losses["invariant"]
        total = total + t.relative * losses["relative"]
        total = total + t.gradient * losses["gradient"] + t.sky * losses["sky"]
        if self.teacher is not None:
            losses["tie"] = _apart(features, before)
            total = total + t.tie * losses["tie"]
        losses["total"] = t.weight * total
        pictures = {"image": image, "warped": image, "error": 0.5 * (error.abs()).detach()}
        return StepOutput(losses, disps[0].float(), None, pictures)

    def _features(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the encoder's features, and those of what it is tied to, if anything."""
        encoder: Any = self.depth_net.encoder
        if self.teacher is None:
            return encoder(image), []
        if not self.same_blocks:
            with torch.no_grad():
                before = self.teacher(image)
            return encoder(image), before
        with torch.no_grad():
            early, x = encoder.begin(image, self.same_blocks)
            before = [*early, *self.teacher.end(x, self.same_blocks)]
        return [*early, *encoder.end(x, self.same_blocks)], before


def _apart(features: list[Tensor], before: list[Tensor]) -> Tensor:
    """Return one minus the cosine between the coarsest two features and those before."""
    pairs = zip(features[-2:], before[-2:], strict=True)
    return torch.stack([1 - F.cosine_similarity(a, b, dim=1).mean() for a, b in pairs]).mean()


def deviation(error: Tensor, known: Tensor, keep: float = 0.15) -> Tensor:
    """Return each image's deviation of the log error (B, 1, H, W), mean over images.

    Source: Eigen et al. 2014, eq. 4, with ``1 - keep`` as its lambda, and the root of Lee et al.
    2019 (BTS), eq. 4.
    """
    count = known.sum((1, 2, 3)).clamp(min=1)
    mean = (error * known).sum((1, 2, 3)) / count
    square = (error.square() * known).sum((1, 2, 3)) / count
    return (square - (1 - keep) * mean.square()).clamp(min=1e-6).sqrt().mean()


def gradient_error(error: Tensor, known: Tensor, scales: int = 4) -> Tensor:
    """Return how much the log error (B, 1, H, W) changes between neighbours, over ``scales``.

    Source: Li and Snavely 2018 (MegaDepth), eq. 5.
    """
    total = torch.zeros((), device=error.device)
    for s in range(scales):
        e, m = error[..., :: 2**s, :: 2**s], known[..., :: 2**s, :: 2**s]
        across, down = m[..., 1:] & m[..., :-1], m[..., 1:, :] & m[..., :-1, :]
        total = total + mean_of((e[..., 1:] - e[..., :-1]).abs(), across)
        total = total + mean_of((e[..., 1:, :] - e[..., :-1, :]).abs(), down)
    return total / scales


def _too_near(log_depth: Tensor, beyond_m: float) -> Tensor:
    """Return by how much log depth falls short of ``beyond_m``."""
    limit = torch.log(torch.tensor(beyond_m, device=log_depth.device))
    return F.relu(limit - log_depth)
