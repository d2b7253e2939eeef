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


class Board:
    """Writes to ``RUN/tensorboard`` and to the progress bar."""

    def __init__(self, run: Path, config: LogConfig, depth_range_m: tuple[float, float]) -> None:
        """Open the event file."""
        self._writer = SummaryWriter(str(run / "tensorboard"))
        self._config, self._depth_range_m = config, depth_range_m

    def write(
        self, step: int, losses: dict[str, Tensor], panels: dict[str, Tensor], lr: float, bar: tqdm
    ) -> None:
        """Write what is due at ``step``."""
        if step % self._config.scalars_every == 0:
            for name, value in losses.items():
                self._writer.add_scalar(f"loss/{name}", float(value), step)
            self._writer.add_scalar("lr", lr, step)
            bar.set_postfix({name: f"{float(value):.4f}" for name, value in losses.items()})
        if step % self._config.images_every == 0:
            self._writer.add_image("image | depth | warped | error", self._panel(panels), step)

    def _panel(self, panels: dict[str, Tensor]) -> Tensor:
        """Return (3, 4 H, W) in [0, 1] of the first sample."""
        image, warped, error = (panels[k][0].detach().cpu() for k in ("image", "warped", "error"))
        depth = disp_to_depth(panels["disp"][0, 0].detach().cpu(), self._depth_range_m)
        colors = (
            torch.from_numpy(colorize(depth.numpy(), 1.0, 80.0)[..., ::-1].copy()).permute(2, 0, 1)
            / 255
        )
        return torch.cat([image, colors, warped, (2 * error).clamp(0, 1).expand(3, -1, -1)], 1)
