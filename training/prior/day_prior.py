"""What depth looks like by day, as a prior for the night: a discriminator and what it learns from.

Real clips are a frozen day network's disparities of unpaired day drives, fake ones the night
network's of the frames it trains on. Source: Wang et al. 2021 (RNW), section 3.2, for the scheme;
our reading of DASP's abstract (arXiv 2512.14536) for clips of three frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, distributed, nn, optim
from torch.func import functional_call
from torch.nn import functional as F

from sdepth.checkpoint import load_depth
from training.prior.discriminators import DiscriminatorConfig, make_discriminator
from training.step_output import StepOutput


@dataclass(frozen=True)
class PriorConfig:
    """How the prior is learned and how much it counts.

    Attributes:
        weight: how hard the penalty pulls at the disparity against all other losses; 0 for no
            prior. RNW's fixed factor of the loss, 2.5e-4 to 4e-4, comes to about 0.1 here.
        day: roots of the drives that the real clips come from, unpaired with those at night.
        day_weights: checkpoint of the frozen day network.
        lr: of the discriminator, where ``optim.lr`` is at its start; it falls as that does.
        pool: past fake clips, half of the discriminator's lessons (Shrivastava et al. 2017).
        cell: side of the squares of pixels that the discriminator sees as one.
        noise: added to both, as a share of a frame's mean disparity, new at every step; meant to
            keep the discriminator from telling them by traces no one sees (Sønderby et al. 2017,
            instance noise).
        shuffle: frames of each clip in random order: a control that has no time.
        discriminator: which.
    """

    weight: float = 0.0
    day: tuple[str, ...] = ("data/synth/day",)
    day_weights: str = "weights/day.safetensors"
    lr: float = 1e-4
    pool: int = 50
    cell: int = 1
    noise: float = 0.0
    shuffle: bool = False
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


class DayPrior(nn.Module):
    """The discriminator, the frozen day network and the pool of past fake clips."""

    pool: Tensor
    pooled: Tensor

    def __init__(self, config: PriorConfig, size: tuple[int, int], seed: int) -> None:
        """Build the discriminator and read the day network.

        Args:
            config: which, and how.
            size: (height, width) of the images.
            seed: of the pool's draws.

        Raises:
            CheckpointError: no day network where ``config.day_weights`` says.
        """
        super().__init__()
        self.config, self.seed = config, seed
        self.discriminator = make_discriminator(config.discriminator)
        self.day_net = load_depth(Path(config.day_weights))[0].requires_grad_(False).eval()
        self.register_buffer("pool", torch.zeros(config.pool, 3, *size))
        self.register_buffer("pooled", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> DayPrior:
        """Set the mode of the discriminator; the day network stays as it is."""
        super().train(mode)
        self.day_net.eval()
        return self

    def penalty(self, clip: Tensor, step: int) -> Tensor:
        """Return how far night clips (B, 3, H, W) are from passing as day; moves them alone.

        Source: Mao et al. 2017 (LSGAN), eq. 9.
        """
        fixed = {k: p.detach() for k, p in self.discriminator.named_parameters()}
        clip = self._shown(clip, step)
        return ((functional_call(self.discriminator, fixed, (clip,)) - 1) ** 2).mean()

    def lesson(self, clip: Tensor, day_images: Tensor, step: int) -> Tensor:
        """Return the discriminator's loss, 0.25 where it cannot tell; moves it alone.

        Args:
            clip: night disparities (B, 3, H, W).
            day_images: (B, 3, 3, H, W) of day drives, in [0, 1].
            step: of the run, for the draws.

        Source: Mao et al. 2017 (LSGAN), eq. 9.
        """
        fake = self._from_pool(clip.detach(), step)
        real = self.day_net(day_images.flatten(0, 1), scales=1)[0].view_as(clip)
        judged = self.discriminator(self._shown(torch.cat([real, fake]), step))
        is_real, is_fake = judged.chunk(2)
        return (((is_real - 1) ** 2).mean() + (is_fake**2).mean()) / 2

    def _draws(self, step: int) -> torch.Generator:
        """Return the random numbers of a step, the same when a stopped run goes on."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + step)

    def _shown(self, clip: Tensor, step: int) -> Tensor:
        """Return what the discriminator sees of clips: made smaller, noisy, shuffled, as asked."""
        draws = self._draws(step)
        if self.config.cell > 1:
            clip = F.avg_pool2d(clip, self.config.cell)
        if self.config.noise > 0:
            level = self.config.noise * clip.detach().mean((2, 3), keepdim=True)
            clip = clip + level * torch.randn(clip.shape, generator=draws).to(clip.device)
        if self.config.shuffle:
            order = torch.rand(len(clip), 3, generator=draws).argsort(1)
            clip = clip[torch.arange(len(clip))[:, None], order]
        return clip

    def _from_pool(self, clip: Tensor, step: int) -> Tensor:
        """Return clips, half of them exchanged for earlier ones once the pool is full."""
        draws, shown = self._draws(step), list[Tensor]()
        for one in clip:
            if (n := int(self.pooled)) < len(self.pool):
                self.pool[n], shown = one, [*shown, one]
                self.pooled += 1
            elif torch.rand((), generator=draws) < 0.5:
                at = int(torch.randint(len(self.pool), (), generator=draws))
                shown.append(self.pool[at].clone())
                self.pool[at] = one
            else:
                shown.append(one)
        return torch.stack(shown)


class Critic:
    """The prior at work in a run: adds its penalty to the losses, then learns from the clips."""

    def __init__(self, prior: DayPrior, days: Iterator[dict[str, Tensor]], ranks: int = 1) -> None:
        """Take the prior, on its device, batches of day drives, and how many processes learn."""
        self.prior, self._days, self._ranks = prior, days, ranks
        parameters = prior.discriminator.parameters()
        self.optimizer = optim.Adam(parameters, lr=prior.config.lr, betas=(0.5, 0.999))

    def judge(self, output: StepOutput, step: int) -> None:
        """Add the penalty of night clips to the losses, so much that it pulls as configured.

        One factor of the loss would mean another pull for each discriminator, width and size: at
        one factor PatchGAN pulls four times as hard as the clip's.

        Args:
            output: of the networks; ``total`` is what the penalty is measured against, at the
                disparity that it and the clips were made of.
            step: of the run.

        Source: Esser et al. 2021 (VQGAN), eq. 7, at the disparity in place of a last layer.
        """
        assert output.clip is not None
        losses = output.losses
        losses["prior"] = penalty = self.prior.penalty(output.clip, step)
        pulls = (
            torch.autograd.grad(loss, output.disp, retain_graph=True)[0].norm()
            for loss in (losses["total"], penalty)
        )
        others, own = pulls
        weight = self.prior.config.weight * others / own.clamp(min=1e-12)
        losses["total"] = losses["total"] + weight.detach() * penalty

    def learn(self, clip: Tensor, step: int, share: float) -> Tensor:
        """Take a step of the discriminator at ``share`` of its rate; return its loss."""
        images = next(self._days)["images"].to(clip.device, non_blocking=True)
        loss = self.prior.lesson(clip, images, step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._ranks > 1:
            for p in self.prior.discriminator.parameters():
                distributed.all_reduce(p.grad, distributed.ReduceOp.AVG)
        for group in self.optimizer.param_groups:
            group["lr"] = self.prior.config.lr * share
        self.optimizer.step()
        return loss.detach()
