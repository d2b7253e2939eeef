"""Say what the discriminator of a run knows on held-out drives, and where it pulls.

    python -m training.experiments.dasp.diagnose runs/experiments/dasp/dasp-lite0/seed0
    ... --set data.apart=3      # of clips whose frames are 0.3 s apart

Where the run started and where it stands: how many clips by day and by night the discriminator
judges rightly (their mean logit against 0.5); how much of the gradient at the disparity lies where
there is no texture, of the prior and of all other losses; which share of it (by size) points at
the true disparity; and by how much neighbouring frames differ, over their mean, which
``prior.noise`` is to be set against. Nothing is written.
"""

from __future__ import annotations

import copy
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, optim

from sdepth.cli import make_parser, one_or_more, run
from sdepth.config import load_config
from sdepth.errors import ConfigError
from sdepth.markdown import table
from sdepth.models.depth_net import depth_to_disp
from training.config import TrainConfig
from training.data.drive import TEXTURELESS, read_mask
from training.data.triplets import Triplets
from training.networks import build_model, parameter_groups
from training.prior.day_prior import Critic
from training.run_folder import CONFIG, Model, load_state, saved_step
from training.trainer import build_critic

HEAD = (
    *("step", "day clips right", "night clips right", "logit by day", "logit by night"),
    "share of the prior's pull where there is no texture",
    "of the other losses' pull",
    "of the pixels",
    "share of the prior's pull that is towards the truth",
    "of the other losses' pull",
    "of the prior's, without texture",
    "of the other losses', without texture",
    "change from frame to frame over the mean disparity, real",
    "night network by night",
    "true, by night",
)


def diagnose(run: Path, night: Path, day: Path, count: int, extra: list[str]) -> list[list[float]]:
    """Return a row of ``HEAD`` for how a run started, and one for how it stands.

    Args:
        run: folder of a run with a prior.
        night: held-out drives with depth and masks.
        day: held-out drives by day, with depth.
        count: held-out clips of each.
        extra: overrides of the run's configuration, for what is looked at.
    """
    config = load_config(TrainConfig, run / CONFIG, extra)
    torch.manual_seed(config.seed)
    model = build_model(config)
    optimizer = optim.Adam(parameter_groups(model, config))
    critic = build_critic(config, torch.device("cpu"), 0, 0, 1)
    if critic is None:
        raise ConfigError(f"{run}: prior.weight is 0; give a run that has a prior")
    nights, days = (held_out(config, root, count) for root in (night, day))
    start = measure(model, critic, nights, days, 0)
    load_state(run, {"model": (model, optimizer), "prior": (critic.prior, critic.optimizer)})
    step = saved_step(run)
    return [[0, *start], [step, *measure(model, critic, nights, days, step)]]


def held_out(config: TrainConfig, root: Path, count: int) -> list[dict[str, Tensor]]:
    """Return triplets from all over the drives, one each, with where there is no texture."""
    data = replace(config.data, train=(str(root),), flip=False, jitter=0.0, clip_depth=True)
    triplets = Triplets(data, config.model.focal_ratio, config.seed)
    found = []
    for k in np.linspace(0, len(triplets) - 1, count).astype(int):
        drive, i = triplets.items[k]
        item = {key: value[None] for key, value in triplets[int(k), 0].items()}
        mask = drive.frames[i].mask
        assert mask is not None
        bits = cv2.resize(read_mask(mask), config.data.size[::-1], interpolation=0)
        item["textureless"] = torch.from_numpy(bits & TEXTURELESS > 0)[None, None]
        found.append(item)
    return found


def measure(
    model: Model,
    critic: Critic,
    nights: list[dict[str, Tensor]],
    days: list[dict[str, Tensor]],
    step: int,
) -> list[float]:
    """Return a row of ``HEAD`` but for the step; nothing learns by it."""
    model, prior = copy.deepcopy(model).eval(), critic.prior
    rows: dict[str, list[float]] = {}

    def note(**values: float | Tensor) -> None:
        for key, value in values.items():
            rows.setdefault(key, []).append(float(torch.as_tensor(value).detach()))

    for day in days:
        with torch.no_grad():
            clip = prior.real(day)
            logit = prior.logits(clip, step).mean()
        note(day_right=logit > 0.5, day_logit=logit, day_change=_change(clip))
    for night in nights:
        output = model(night, step)
        with torch.no_grad():
            logit = prior.logits(output.clip, step).mean()
        note(night_right=logit < 0.5, night_logit=logit, night_change=_change(output.clip))
        others = torch.autograd.grad(output.losses["total"], output.disp, retain_graph=True)[0]
        pull = torch.autograd.grad(prior.penalty(output.clip, step), output.disp)[0]
        depths = night["depths"]
        true = depth_to_disp(depths.clamp(min=1e-3), prior.depth_range_m, night["focal_scale"])
        true = torch.where(depths > 0, true, 0.0)
        known = depths[:, 1:2] > 0
        note(true_change=_change(true))
        # The truth at this clip's own scale: disparities of a network that knows none.
        share = output.disp[known].median() / true[:, 1:2][known].median()
        wanted = torch.sign(share * true[:, 1:2] - output.disp)
        bare = known & night["textureless"]
        note(pixels=(bare.sum() / known.sum()))
        for name, gradient in (("prior", pull), ("others", others)):
            size = gradient.abs()
            fits = size * (torch.sign(-gradient) == wanted)
            note(**{f"{name}_share": size[bare].sum() / size[known].sum()})
            note(**{f"{name}_right": fits[known].sum() / size[known].sum()})
            if bare.any():
                note(**{f"{name}_bare": fits[bare].sum() / size[bare].sum()})
    keys = (
        *("day_right", "night_right", "day_logit", "night_logit"),
        *("prior_share", "others_share", "pixels"),
        *("prior_right", "others_right", "prior_bare", "others_bare"),
        *("day_change", "night_change", "true_change"),
    )
    return [float(np.mean(rows[key])) for key in keys]


def _change(clip: Tensor) -> Tensor:
    """Return how much neighbouring disparities of clips (B, 3, H, W) differ, over their mean."""
    return clip.diff(dim=1).abs().mean() / clip.mean()


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.experiments.dasp.diagnose", __doc__, "")
    parser.add_argument("run", type=Path, help="folder of a run with a prior")
    parser.add_argument("--night", type=Path, default=Path("data/synth/night_test"))
    parser.add_argument("--day", type=Path, default=Path("data/synth/day_test"))
    parser.add_argument("--count", type=one_or_more, default=48, help="clips (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="extra")
    options = parser.parse_args(args)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return run(parser.prog, lambda: _print(options))


def _print(o: Any) -> None:
    """Print the table."""
    start, now = diagnose(o.run, o.night, o.day, o.count, o.extra)
    rows = zip(HEAD, start, now, strict=True)
    print(table(["", "start", "now"], ([h, f"{a:.3f}", f"{b:.3f}"] for h, a, b in rows)))


if __name__ == "__main__":
    sys.exit(main())
