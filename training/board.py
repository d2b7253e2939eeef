"""Training on TensorBoard: scalars, and images worth looking at."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from sdepth.depth.colorize import colorize
from sdepth.models.depth_net import disp_to_depth
from training.config import LogConfig
from training.step_output import StepOutput


class Board:
    """Writes to ``RUN/tensorboard`` and to the progress bar."""

    def __init__(self, run: Path, config: LogConfig, depth_range_m: tuple[float, float]) -> None:
        """Open the event file."""
        self._writer = SummaryWriter(str(run / "tensorboard"))
        self._config, self._depth_range_m = config, depth_range_m

    def write(self, step: int, output: StepOutput, lr: float, bar: tqdm) -> None:
        """Write what is due at ``step``."""
        if step % self._config.scalars_every == 0:
            for name, value in output.losses.items():
                self._writer.add_scalar(f"loss/{name}", float(value), step)
            self._writer.add_scalar("lr", lr, step)
            bar.set_postfix({name: f"{float(value):.4f}" for name, value in output.losses.items()})
        if step % self._config.images_every == 0:
            self._writer.add_image(
                "image | depth | warped | error", _panel(output, self._depth_range_m), step
            )


def _panel(output: StepOutput, depth_range_m: tuple[float, float]) -> Tensor:
    """Return pictures of the first sample side by side, (3, H, 4 W) in [0, 1]."""
    names = ("image", "warped", "error")
    image, warped, error = (output.pictures[k][0].detach().cpu() for k in names)
    depth = disp_to_depth(output.disp[0, 0].detach().cpu(), depth_range_m)
    rgb = colorize(depth.numpy(), 1.0, 80.0)[..., ::-1].copy()
    colors = torch.from_numpy(rgb).permute(2, 0, 1) / 255
    return torch.cat([image, colors, warped, (2 * error).clamp(0, 1).expand(3, -1, -1)], 1)
