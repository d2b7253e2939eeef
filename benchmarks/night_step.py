"""Time a training step at night, with and without a prior of the day; one run.

python -m benchmarks.night_step --threads 2 --json night.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat
from pathlib import Path

import torch

from benchmarks.refine import kept, table, triplets
from benchmarks.timing import timing_parser
from sdepth.cli import image_size, one_or_more
from sdepth.config import load_config
from sdepth.files import write_json
from training.config import TrainConfig
from training.networks import build_model, parameter_groups
from training.prior.day_prior import Critic, DayPrior
from training.trainer import take_step

CONFIG = Path(__file__).parents[1] / "training/configs/dasp.yaml"
WAYS = {
    "self-supervision alone": ["prior.weight=0.0"],
    "PatchGAN": ["prior.discriminator.kind=patch"],
    "clips": [],
    "clips, temporal blocks alone": ["prior.discriminator.spatial=false"],
    "clips, spatial blocks alone": ["prior.discriminator.temporal=''"],
    "clips, 3D consistency": ["loss.projection_weight=0.1"],
    "clips, 3D consistency, refinement": ["loss.projection_weight=0.1", "refine.features=unet"],
}
"""The parts of the method: what is added to the config of the study."""


def training_step(
    overrides: list[str], device: str
) -> tuple[Callable[[], object], dict[str, float]]:
    """Return a step of both networks, and what it holds: parameters and graphs, MB.

    Args:
        overrides: of the study's night stage without consistency.
        device: cpu or cuda.
    """
    plain = ["model.init_from=''", "loss.projection_weight=0.0"]
    config = load_config(TrainConfig, CONFIG, [*plain, *overrides])
    model = build_model(config).to(device)
    optimizer = torch.optim.Adam(parameter_groups(model, config), lr=1e-5)
    batch = triplets(config.optim.batch, config.data.size, device)
    step = partial(take_step, model, optimizer, batch, config.optim, 0)
    if config.prior.weight <= 0:
        graph = kept(lambda: model(batch).losses["total"], model.parameters())
        return step, {"graph_mb": graph / 1e6}
    prior = DayPrior(config.prior, config.data.size, config.seed).to(device).train()
    critic, clip = Critic(prior, repeat(batch)), model(batch).clip.detach()

    def night() -> torch.Tensor:
        output = model(batch)
        critic.judge(output, 0)
        return output.losses["total"]

    def learn() -> torch.Tensor:
        return prior.lesson(clip, batch, 0)["discriminator"]

    own = [*model.parameters(), *prior.parameters()]
    count = sum(p.numel() for p in prior.discriminator.parameters())
    holds = {
        "graph_mb": kept(night, own) / 1e6,
        "discriminator_graph_mb": kept(learn, own) / 1e6,
        "discriminator_parameters": float(count),
    }
    return partial(step, critic=critic), holds


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = timing_parser("night", __doc__)
    parser.set_defaults(size="192x64")
    parser.add_argument("--width", type=one_or_more, default=16, help="of the discriminator (16)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    where = f"{options.threads} threads" if device == "cpu" else torch.cuda.get_device_name()
    height, width = image_size(options.size)
    same = [f"data.size=[{height},{width}]", f"prior.discriminator.width={options.width}"]
    made = {name: training_step([*same, *way], device) for name, way in WAYS.items()}
    steps = table({name: call for name, (call, _) in made.items()}, options.runs, device)
    for name, (_, holds) in made.items():
        steps[name] |= holds
    batch = load_config(TrainConfig, CONFIG).optim.batch
    about = f"batch {batch} of {options.size}, discriminator of {options.width} channels"
    print(f"{about}, {where}, median of {options.runs}; ratio to the first line; graphs in MB")
    for name, row in steps.items():
        graphs = f"{row['graph_mb']:7.0f} {row.get('discriminator_graph_mb', 0):7.0f}"
        size = row.get("discriminator_parameters", 0) / 1e6
        print(f"{name:36} {row['ms']:8.1f} ms {row['ratio']:6.2f}x {graphs} {size:6.2f} M")
    if options.json:
        found = {"about": about, "device": where, "runs": options.runs, "steps": steps}
        write_json(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
