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
from sdepth.models.depth_net import depth_to_disp
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
        truth: real clips are the day drives' true disparity, where that is known: what a day
            network without errors would teach.
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
    truth: bool = False
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
        day_net, card = load_depth(Path(config.day_weights))
        self.day_net, self.depth_range_m = day_net.requires_grad_(False).eval(), card.depth_range_m
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

    def real(self, day: dict[str, Tensor]) -> Tensor:
        """Return the disparities (B, 3, H, W) that count as day.

        Args:
            day: of day drives: ``images`` (B, 3, 3, H, W) in [0, 1]; ``depths`` (B, 3, H, W),
                metres, 0 where unknown, and ``focal_scale`` (B,) where truth is asked for.
        """
        images = day["images"]
        clip = self.day_net(images.flatten(0, 1), scales=1)[0].view(-1, 3, *images.shape[3:])
        if not self.config.truth:
            return clip
        depths, focal = day["depths"], day["focal_scale"].view(-1, 1, 1, 1)
        true = depth_to_disp(depths.clamp(min=1e-3), self.depth_range_m, focal)
        return torch.where(depths > 0, true, clip)

    def lesson(self, clip: Tensor, day: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Return the discriminator's loss, 0.25 where it cannot tell, which moves it alone.

        Beside it, the shares of clips that it judged rightly before it learned from them.

        Args:
            clip: night disparities (B, 3, H, W).
            day: as ``real`` takes it.
            step: of the run, for the draws.

        Source: Mao et al. 2017 (LSGAN), eq. 9.
        """
        fake, real = self._from_pool(clip.detach(), step), self.real(day)
        is_real, is_fake = self.logits(torch.cat([real, fake]), step).chunk(2)
        return {
            "discriminator": (((is_real - 1) ** 2).mean() + (is_fake**2).mean()) / 2,
            "day_right": (is_real.detach().mean((1, 2, 3)) > 0.5).float().mean(),
            "night_right": (is_fake.detach().mean((1, 2, 3)) < 0.5).float().mean(),
        }

    def logits(self, clip: Tensor, step: int) -> Tensor:
        """Return what the discriminator says of clips (B, 3, H, W): 1 is day, 0 is night."""
        judged: Tensor = self.discriminator(self._shown(clip, step))
        return judged

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

    def learn(self, clip: Tensor, step: int, share: float) -> dict[str, Tensor]:
        """Take a step of the discriminator at ``share`` of its rate; return its ``lesson``."""
        day = {k: v.to(clip.device, non_blocking=True) for k, v in next(self._days).items()}
        told = self.prior.lesson(clip, day, step)
        self.optimizer.zero_grad(set_to_none=True)
        told["discriminator"].backward()
        if self._ranks > 1:
            for p in self.prior.discriminator.parameters():
                distributed.all_reduce(p.grad, distributed.ReduceOp.AVG)
        for group in self.optimizer.param_groups:
            group["lr"] = self.prior.config.lr * share
        self.optimizer.step()
        return told
