"""How studies train ``lite0``: what both of them have in common."""

from __future__ import annotations

LITE = "lite0"
TAUGHT = (
    "model.imagenet=true",
    *("truth.weight=1.0", "truth.relative=1.0", "truth.sky=0.3", "truth.tie=0.2"),
    *("crop.aspect=[1.33, 3.6]", "crop.look=0.6", "loss.scales=3"),
    *("optim.lr=8.0e-4", "optim.decay_from=0.5", "optim.batch=8"),
)
"""Where it starts: ImageNet's encoder, then the truth of streets by day alone."""
BRIEF = (
    *("optim.batch=4", "optim.precision=bf16", "optim.average=0.95", "optim.decay_from=0.3"),
    *("model.frozen_blocks=8", "model.frozen_norm=true", "optim.encoder_lr_scale=0.2"),
)
"""How it goes on: short runs that keep what ImageNet taught."""
